package pluginstore

import (
	"testing"

	"github.com/harpia-go/harpia/shared"
)

// A secret that is a word of the remedy is hidden where it is a value, and only there.
func TestSecretsThatAreNamesOfSettings(t *testing.T) {
	declared := []shared.Setting{{Name: "password", Secret: true}, {Name: "password_file"}, {Name: "username"}}
	for _, c := range []struct{ secret, text, want string }{
		{"password", "mend username, and password_file or password", "mend username, and password_file or password"},
		{"password", "set password_file, or password: it is needed", "set password_file, or password: it is needed"},
		{"password", "dial redis://:password@host: refused", "dial redis://:…@host: refused"},
		{"password", `it was "password" or password=password`, `it was "…" or …=…`},
		{"password", "mypassword, password_filex, xpassword", "my…, …_filex, x…"},
		{"pass", "redis: pass is wrong; set password", "redis: … is wrong; set password"},
		{"username", "username: no such user username@host", "username: no such user …@host"},
		{"hunter2", "set password, not hunter2", "set password, not …"},
	} {
		s := secretsOf(declared, []shared.SettingValue{{Name: "password", Value: c.secret}})
		if got := s.hide(c.text); got != c.want {
			t.Errorf("without the secret %q, %q is %q, want %q", c.secret, c.text, got, c.want)
		}
	}
}
