package plugintest

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/model"
)

func modelMistakeRules() []rule[*modelKit] {
	return []rule[*modelKit]{
		{"model/broken-configuration-refused", "what is no JSON object is refused as an invalid model", modelBroken},
		{"model/bad-value-named", "a value that makes no sense is refused as invalid or unsupported, by the name of its key", modelBadValues},
		{"model/unknown-activation-named", "an activation that it does not know is refused, not replaced", modelUnknownActivation},
	}
}

func modelBroken(c *check, k *modelKit) {
	m := start(c, k.start).Service
	for _, text := range []string{"", "{", "[]", "null", `"x"`, `{"vocab_size": 1e`, "\x00\xff"} {
		_, err := m.Build(c, &model.BuildRequest{Configuration: []byte(text)})
		c.mustFault(err, "Build of "+quote(text), fault.InvalidModel, fault.Unsupported)
	}
}

func quote(s string) string { return "'" + strings.ToValidUTF8(s, "?") + "'" }

// badValues makes no sense for any key that holds a number.
func badValues() []any { return []any{"x", -1.0, 0.0, 1.5, 1e18, []any{1.0}, map[string]any{}, true} }

func modelBadValues(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		values := parsed(c, configuration)
		original := build(c, m, &model.BuildRequest{Configuration: configuration}).Text()
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if _, isNumber := values[key].(float64); !isNumber {
				continue
			}
			for _, bad := range badValues() {
				_, isNumber := bad.(float64)
				g, err := m.Build(c, &model.BuildRequest{Configuration: changed(c, configuration, key, bad)})
				if err == nil {
					// A number can make sense after all; what is none can only be ignored.
					if text := g.Text(); !isNumber && text != original {
						c.fail("%s = %v gives another graph and no error", key, bad)
					}
					continue
				}
				if !errors.Is(err, fault.InvalidModel) && !errors.Is(err, fault.Unsupported) {
					c.fail("%s = %v: the error %q is no fault %q or %q", key, bad, err, fault.InvalidModel, fault.Unsupported)
				}
				if !strings.Contains(err.Error(), key) {
					c.fail("%s = %v: the error %q does not name the key", key, bad, err)
				}
			}
		}
	})
}

func modelUnknownActivation(c *check, k *modelKit) {
	const key = "hidden_act"
	tried := false
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		if _, there := parsed(c, configuration)[key].(string); !there {
			return
		}
		tried = true
		_, err := m.Build(c, &model.BuildRequest{Configuration: changed(c, configuration, key, "no_such_activation")})
		c.mustFault(err, "an activation that there is not", fault.InvalidModel, fault.Unsupported)
		if !strings.Contains(err.Error(), key) {
			c.fail("the error %q does not name %s", err, key)
		}
	})
	if !tried {
		c.skip("no configuration has a %s", key)
	}
}
