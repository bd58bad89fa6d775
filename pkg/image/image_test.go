package image

import (
	"slices"
	"testing"
)

func TestRunsAs(t *testing.T) {
	for _, tc := range []struct {
		user          string
		uid           int64
		numeric, root bool
	}{
		{"", 0, true, true},
		{"0", 0, true, true},
		{"00", 0, true, true},
		{"+0", 0, true, true},
		{"0:0", 0, true, true},
		{"0:1000", 0, true, true},
		{":1000", 0, true, true},
		{"root", 0, false, true},
		{"root:wheel", 0, false, true},
		{"1000", 1000, true, false},
		{"1000:0", 1000, true, false},
		{"65532:65532", 65532, true, false},
		{"nobody", -1, false, false},
		{"nginx:root", -1, false, false},
		{"rooty", -1, false, false},
		{"0x0", -1, false, false},
		{"99999999999999999999", -1, false, false},
	} {
		t.Run(tc.user, func(t *testing.T) {
			uid, numeric, root := Facts{User: tc.user}.RunsAs()
			if uid != tc.uid || numeric != tc.numeric || root != tc.root {
				t.Errorf("RunsAs() = %d, %t, %t, want %d, %t, %t", uid, numeric, root, tc.uid, tc.numeric, tc.root)
			}
		})
	}
}

func TestRules(t *testing.T) {
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
		if r.Title == "" || r.Severity == "" || r.Why == "" || r.Remedy == "" {
			t.Errorf("%s: a field is empty: %+v", r.ID, r)
		}
	}
	if want := []string{RootUser, Healthcheck, Setuid, Add, Secrets, Tag}; !slices.Equal(ids, want) {
		t.Errorf("rules are %v, want %v", ids, want)
	}
}

func TestSecretNames(t *testing.T) {
	for name, want := range map[string]bool{
		"PASSWORD": true, "MYSQL_ROOT_PASSWORD": true, "PGPASSWORD": true, "db-password": true,
		"AWS_SECRET_ACCESS_KEY": true, "SECRET_KEY_BASE": true, "NPM_TOKEN": true, "API_KEY": true,
		"STRIPE_APIKEY": true, "SSH_PRIVATE_KEY": true, "CLIENT_SECRET": true,
		"AWS_ACCESS_KEY_ID": false, "POSTGRES_PASSWORD_FILE": false, "TOKEN_TTL": false,
		"SECRET_NAME": false, "GPG_KEY": false, "PUBLIC_KEY": false, "SECRETARY": false,
		"TOKENIZER": false, "PATH": false, "KEY": false, "": false,
	} {
		if got := secretName(name); got != want {
			t.Errorf("secretName(%q) = %t, want %t", name, got, want)
		}
	}
}
