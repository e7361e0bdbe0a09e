package plugintest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// binaryStartTime bounds the start of a program.
const binaryStartTime = 30 * time.Second

// Binary starts the program at path, a process for each instance, as a host does.
func Binary[S any](path string) Start[S] {
	return func(ctx context.Context) (*Instance[S], error) {
		kind, view := viewOf[S]()
		cmd := exec.Command(path) //nolint:noctx // it lives until the instance is closed
		client := goplugin.NewClient(&goplugin.ClientConfig{
			Cmd:              cmd,
			HandshakeConfig:  plugin.Handshake(),
			VersionedPlugins: plugin.Versions(kind, view),
			AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
			AutoMTLS:         true,
			StartTimeout:     binaryStartTime,
			// go-plugin's reader of log lines panics at some; it reads none where the
			// logger is off.
			Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off}),
			GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
				grpc.MaxCallRecvMsgSize(plugin.MaxMessageBytes), grpc.MaxCallSendMsgSize(plugin.MaxMessageBytes))},
		})
		service, err := dispense[S](ctx, client, kind)
		if err != nil {
			client.Kill()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		kill := func() error {
			err := cmd.Process.Kill()
			client.Kill() // waits for the end
			return err
		}
		return &Instance[S]{Service: service, Close: client.Kill, Kill: kill}, nil
	}
}

func dispense[S any](ctx context.Context, client *goplugin.Client, kind plugin.Kind) (S, error) {
	var none S
	if err := ctx.Err(); err != nil {
		return none, err
	}
	protocol, err := client.Client()
	if err != nil {
		return none, err
	}
	raw, err := protocol.Dispense(string(kind))
	if err != nil {
		return none, err
	}
	service, ok := raw.(S)
	if !ok {
		return none, fmt.Errorf("a service of type %T", raw)
	}
	return service, nil
}

// viewOf is the kind whose interface S is, and its client.
func viewOf[S any]() (plugin.Kind, goplugin.Plugin) {
	switch any((*S)(nil)).(type) {
	case *kernels.Backend:
		return plugin.Kernels, kernels.NewPlugin(nil)
	case *logger.Logger:
		return plugin.Logger, logger.NewPlugin(nil)
	}
	return plugin.Model, model.NewPlugin(nil)
}

// Options are what [Check] passes on to the kit of a plugin's kind.
type Options struct {
	// Kind is the plugin's; "" reads it off the file's name.
	Kind    plugin.Kind
	Model   ModelOptions
	Kernels KernelsOptions
	Logger  LoggerOptions
}

// Check runs all rules of its kind on the program at path, and the rules of processes.
// The error says that there is nothing to check: broken rules stand in the report.
func Check(ctx context.Context, path string, o Options) (*Report, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if o.Kind == "" {
		if o.Kind, err = kindOf(path); err != nil {
			return nil, err
		}
	}
	var report *Report
	switch o.Kind {
	case plugin.Model:
		report = CheckModel(ctx, Binary[model.Model](path), o.Model)
	case plugin.Kernels:
		report = CheckKernels(ctx, Binary[kernels.Backend](path), o.Kernels)
	case plugin.Logger:
		report = CheckLogger(ctx, Binary[logger.Logger](path), o.Logger)
	default:
		return nil, fmt.Errorf("there is no kind of plugins %q", o.Kind)
	}
	report.Results = append(runRules(ctx, processRules(), path, selection{}), report.Results...)
	return report, nil
}

// kindOf reads the kind off a file's name, hone-plugin-FOLDER.
func kindOf(path string) (plugin.Kind, error) {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	if folder, ok := strings.CutPrefix(name, plugin.FilePrefix); ok {
		if kind, _, ok := plugin.ParseName(folder); ok {
			return kind, nil
		}
	}
	return "", fmt.Errorf("%s is no name of a plugin, which is %s and %s", name, plugin.FilePrefix, plugin.NameRule)
}
