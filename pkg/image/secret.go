package image

import (
	"regexp"
	"slices"
	"strings"
)

// secretNames end the names of variables that hold secrets: the whole name, or what
// follows an underscore. Names in which more follows are about secrets, such as
// TOKEN_TTL or PASSWORD_FILE, and are ignored.
var secretNames = []string{
	"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY",
	"SECRET_KEY", "SECRET_KEY_BASE", "ACCESS_KEY", "CREDENTIALS",
}

// switches are values that turn something on or off, which secrets do not.
var switches = []string{"true", "false", "yes", "no", "on", "off", "0", "1"}

var (
	// privateKey opens private keys in PEM, as of RFC 7468 and OpenSSH.
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----`)
	// assignment is the name and the beginning of the value of a variable in a history,
	// where values are not quoted.
	assignment = regexp.MustCompile(`(?:^|\s)([A-Za-z_][A-Za-z0-9_.-]*)=(\S*)`)
)

// secretName reports whether a variable of that name holds a secret.
func secretName(name string) bool {
	name = strings.ReplaceAll(strings.ToUpper(name), "-", "_")
	if strings.HasSuffix(name, "PASSWORD") { // PGPASSWORD
		return true
	}
	return slices.ContainsFunc(secretNames, func(s string) bool {
		return name == s || strings.HasSuffix(name, "_"+s)
	})
}

// secretEnv reports whether a variable seems to hold a secret. Values are not kept.
func secretEnv(name, value string) bool {
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	if value == "" || slices.Contains(switches, strings.ToLower(value)) {
		return false
	}
	return secretName(name) || privateKey.MatchString(value)
}

// secretArg reports whether a build argument seems to hold a secret. One without a
// default has its value from the command line, and ends up in the history.
func secretArg(name string, value *string) bool {
	if value == nil {
		return secretName(name)
	}
	return secretEnv(name, *value)
}

func envResult(name string) Result { return Result{Rule: Secrets, Detail: "ENV " + short(name)} }
func argResult(name string) Result { return Result{Rule: Secrets, Detail: "ARG " + short(name)} }
func keyResult(instruction string) Result {
	return Result{Rule: Secrets, Detail: "private key in " + instruction}
}
