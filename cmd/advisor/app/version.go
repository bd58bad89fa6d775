package app

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// What the linker stamps, by -X github.com/psp-advisor/psp-advisor/cmd/advisor/app.version=v1.2.3
// and so on.
var version, commit, date string

// build says what this program was built from.
type build struct {
	Version   string `json:"version"`
	Commit    string `json:"commit,omitempty"`
	Date      string `json:"date,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// thisBuild returns what the linker stamped, or else what Go knows of the module
// and its repository.
func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(build{Version: version, Commit: commit, Date: date}, info)
}

func buildOf(stamped build, info *debug.BuildInfo) build {
	b := stamped
	b.GoVersion, b.Platform = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	known := map[string]string{}
	for _, s := range info.Settings {
		known[s.Key] = s.Value
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	if b.Commit == "" {
		b.Commit = known["vcs.revision"]
		if known["vcs.modified"] == "true" {
			b.Commit += "-dirty"
		}
	}
	if b.Date == "" {
		b.Date = known["vcs.time"]
	}
	return b
}

// userAgent is what requests to API servers carry.
func (b build) userAgent() string {
	return fmt.Sprintf("advisor/%s (%s)", b.Version, b.Platform)
}

func (b build) String() string {
	var text strings.Builder
	for _, line := range [][2]string{
		{"Version", b.Version}, {"Commit", b.Commit}, {"Date", b.Date}, {"Go version", b.GoVersion}, {"Platform", b.Platform},
	} {
		if line[1] != "" {
			fmt.Fprintf(&text, "%-12s%s\n", line[0]+":", line[1])
		}
	}
	return text.String()
}

func newVersionCommand(env environment) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of the advisor",
		Long: `version prints what the advisor was built from. It sends no request to a server. Requests
to API servers carry the same version as their User-Agent.`,
		Example: `  advisor version

  # For a script
  advisor version --output json`,
		Annotations: exitCodes("0  done", "2  wrong flags"),
		Args:        cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			data, err := thisBuild().encode(output)
			if err != nil {
				return err
			}
			return writeOut(env.Out, data)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json or yaml, instead of text")
	env.completeWords(cmd, "output", "json", "yaml")
	return cmd
}

func (b build) encode(output string) ([]byte, error) {
	var data []byte
	var err error
	switch output {
	case "":
		return []byte(b.String()), nil
	case "json":
		data, err = json.MarshalIndent(b, "", "  ")
		data = append(data, '\n')
	case "yaml":
		data, err = yaml.Marshal(b)
	default:
		return nil, usageError(fmt.Errorf("--output: unknown format %q: want json or yaml", output))
	}
	if err != nil {
		return nil, failureError(fmt.Errorf("writing the version: %w", err))
	}
	return data, nil
}
