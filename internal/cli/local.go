package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/local"
)

const (
	defaultLocalDir  = "./holdfast-local"
	localStopLimit   = 30 * time.Second
	localReadyLimit  = 60 * time.Second
	localDefaultPort = 9092
)

func newLocalCommand(a *app) *cobra.Command {
	return noun("local", "Run a cluster on this machine, and do to it what a bad day does",
		"  holdfast local up && holdfast local kill 1 && holdfast local start 1 && holdfast local down",
		newLocalUpCommand(a), newLocalStatusCommand(a),
		newLocalNodeCommand(a, "kill", "End a node with SIGKILL, at once", "killed",
			func(_ context.Context, n *local.Node) error { return n.Kill() }),
		newLocalNodeCommand(a, "stop", "End a node cleanly, with SIGTERM", "stopped", stopLocal),
		newLocalNodeCommand(a, "start", "Start a node that is down, on its data and ports", "ready", startLocal),
		newLocalNodeCommand(a, "pause", "Freeze a node with SIGSTOP: it keeps its ports and answers nothing", "paused",
			func(_ context.Context, n *local.Node) error { return n.Pause() }),
		newLocalNodeCommand(a, "resume", "Let a paused node go on", "running",
			func(_ context.Context, n *local.Node) error { return n.Resume() }),
		newLocalDownCommand(a))
}

// localFlags are the flags of every command about a local cluster.
func localFlags(cmd *cobra.Command, dir *string) {
	if cmd.Long != "" {
		cmd.Long += "\n\n"
	}
	cmd.Long += holdfastOnly + "\n"
	cmd.Flags().StringVar(dir, "dir", defaultLocalDir, "folder of the cluster: its data, logs and processes")
}

// localNode is one line of JSON about a node.
type localNode struct {
	Node  int         `json:"node"`
	State local.State `json:"state"`
	PID   int         `json:"pid"` // 0 where it is down
	Kafka string      `json:"kafka"`
	HTTP  string      `json:"http"`
	Data  string      `json:"data"`
	Log   string      `json:"log"`
}

func newLocalUpCommand(a *app) *cobra.Command {
	var o local.Options
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the nodes of a cluster that are down, making it first where there is none",
		Long: `Starts a cluster whose nodes are processes of this machine, and returns when it serves. The nodes go on after the
command; holdfast local down ends them. A folder that holds a cluster already is started as it was made.

Node 1 listens for Kafka clients on --port and for HTTP two above it.`,
		Example: "  holdfast local up\n  holdfast local up --dir /tmp/trial --port 19092 --set log.segment.bytes=1048576",
		Args:    cobra.NoArgs,
	}
	localFlags(cmd, &o.Dir)
	cmd.Flags().IntVar(&o.Nodes, "nodes", 1, "number of nodes; today 1")
	cmd.Flags().IntVar(&o.Port, "port", localDefaultPort, "for Kafka clients of node 1, on 127.0.0.1")
	cmd.Flags().StringArrayVar(&o.Set, "set", nil, "one setting of every node as key=value; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.localUp(cmd, o) }
	return cmd
}

func (a *app) localUp(cmd *cobra.Command, o local.Options) error {
	o.Detached = true
	if o.Nodes < 1 || o.Nodes > local.MaxNodes {
		return usage("Use --nodes 1.", "cannot start %d nodes: %v", o.Nodes, local.ErrNodes)
	}
	c, err := local.Create(o)
	if errors.Is(err, local.ErrCluster) {
		if cmd.Flags().Changed("port") || cmd.Flags().Changed("set") {
			return usage("Leave --port and --set out to start it as it is, or give another --dir.", "%s holds a cluster already, with ports and settings of its own", o.Dir)
		}
		c, err = local.Open(o.Dir)
	}
	if err != nil {
		return localProblem(err)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), localReadyLimit)
	defer cancel()
	if err := c.Up(ctx); err != nil {
		return localProblem(err)
	}
	return a.localTable(c.Nodes())
}

func newLocalStatusCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "status", Short: "Show the nodes, their processes, ports and folders", Args: cobra.NoArgs,
		Example: "  holdfast local status\n  holdfast local status --dir /tmp/trial -o json",
		RunE: func(*cobra.Command, []string) error {
			c, err := local.Open(dir)
			if err != nil {
				return localProblem(err)
			}
			return a.localTable(c.Nodes())
		},
	}
	localFlags(cmd, &dir)
	return cmd
}

// newLocalNodeCommand makes a verb that does one thing to one node.
func newLocalNodeCommand(a *app, verb, short, done string, do func(context.Context, *local.Node) error) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: verb + " NODE", Short: short, Args: takes(1, 1, "the number of a node"),
		Example: fmt.Sprintf("  holdfast local %s 1\n  holdfast local %s 1 --dir /tmp/trial", verb, verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.Atoi(args[0])
			if err != nil {
				return usage("For example:\n"+cmd.Example, "%q is not the number of a node", args[0])
			}
			c, err := local.Open(dir)
			if err != nil {
				return localProblem(err)
			}
			n, err := c.Node(id)
			if err != nil {
				return usage("", "%v", err)
			}
			if err := do(cmd.Context(), n); err != nil {
				return localProblem(err)
			}
			if a.json() {
				return a.localTable([]*local.Node{n})
			}
			_, err = fmt.Fprintf(a.env.Out, "node %d %s\n", n.ID(), done)
			return err
		},
	}
	localFlags(cmd, &dir)
	return cmd
}

func stopLocal(ctx context.Context, n *local.Node) error {
	ctx, cancel := context.WithTimeout(ctx, localStopLimit)
	defer cancel()
	return n.Stop(ctx)
}

func startLocal(ctx context.Context, n *local.Node) error {
	if err := n.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, localReadyLimit)
	defer cancel()
	return n.Ready(ctx)
}

func newLocalDownCommand(a *app) *cobra.Command {
	var dir string
	var purge bool
	cmd := &cobra.Command{
		Use: "down", Short: "End all nodes; their data stays, or goes with --delete", Args: cobra.NoArgs,
		Example: "  holdfast local down\n  holdfast local down --dir /tmp/trial --delete",
		RunE: func(*cobra.Command, []string) error {
			c, err := local.Open(dir)
			if err != nil {
				return localProblem(err)
			}
			if err := c.Close(localStopLimit); err != nil {
				return localProblem(err)
			}
			if purge {
				if err := c.Remove(); err != nil {
					return localProblem(err)
				}
			}
			if a.json() {
				return a.localTable(c.Nodes())
			}
			_, err = fmt.Fprintf(a.env.Out, "%s is down\n", dir)
			return err
		},
	}
	localFlags(cmd, &dir)
	cmd.Flags().BoolVar(&purge, "delete", false, "delete data, logs and ports of the cluster")
	return cmd
}

func (a *app) localTable(nodes []*local.Node) error {
	t := newTable("NODE", "STATE", "PROCESS", "KAFKA", "HTTP", "DATA")
	for _, n := range nodes {
		row := localNode{n.ID(), n.State(), n.PID(), n.Kafka(), n.HTTP(), n.Data(), n.Log()}
		if a.json() {
			if err := jsonLine(a.env.Out, row); err != nil {
				return err
			}
			continue
		}
		process := "-"
		if row.PID > 0 {
			process = strconv.Itoa(row.PID)
		}
		t.row(row.Node, row.State, process, row.Kafka, row.HTTP, row.Data)
	}
	if a.json() {
		return nil
	}
	return t.print(a.env.Out)
}

// localProblem says what to do about an error of a local cluster.
func localProblem(err error) error {
	if errors.Is(err, local.ErrNoCluster) {
		return failed(err, "Make one with `holdfast local up --dir DIR`, or name its folder with --dir.", "%v", err)
	}
	return failed(err, "", "%v", err)
}
