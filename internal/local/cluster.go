package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaxNodes is how many nodes a cluster may have: one, until nodes replicate.
const MaxNodes = 1

// portStep is what lies between the ports of two nodes; a node uses the first (Kafka) and the third (HTTP) of them.
const portStep = 10

// ErrNodes refuses a number of nodes.
var ErrNodes = errors.New("nodes do not replicate yet, so a cluster on this machine has exactly one")

// ErrNoCluster says that a folder holds no cluster.
var ErrNoCluster = errors.New("the folder holds no cluster")

// ErrCluster says that a folder holds a cluster already.
var ErrCluster = errors.New("the folder holds a cluster already")

// Options describe a new cluster.
type Options struct {
	Dir    string
	Nodes  int
	Port   int      // for Kafka clients of node 1; HTTP is two above. Further nodes are ten apart
	Set    []string // settings of every node, key=value
	Binary string   // the holdfast program; empty is the running one
	// Detached nodes outlive the program that started them.
	Detached bool
}

// Cluster is the nodes of a folder.
type Cluster struct {
	dir      string
	detached bool
	nodes    []*Node
}

// file is local.json.
type file struct {
	Binary string   `json:"binary"`
	Set    []string `json:"set,omitempty"`
	Nodes  []entry  `json:"nodes"`
}

// entry is a node in local.json.
type entry struct {
	ID    int    `json:"id"`
	Port  int    `json:"port"`
	PID   int    `json:"pid,omitempty"`   // 0: not running, as far as is known
	Birth string `json:"birth,omitempty"` // tells the process from a later one with the same id
}

// Create makes the folder of a cluster. No node runs yet.
func Create(o Options) (*Cluster, error) {
	if o.Nodes < 1 || o.Nodes > MaxNodes {
		return nil, ErrNodes
	}
	if o.Port < 1 || o.Port+portStep*o.Nodes > 65536 {
		return nil, fmt.Errorf("port %d does not leave room for the ports of %d nodes below 65536", o.Port, o.Nodes)
	}
	if _, err := os.Stat(statePath(o.Dir)); err == nil {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrCluster)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the cluster: %w", err)
	}
	binary := o.Binary
	if binary == "" {
		own, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the program to run: %w", err)
		}
		binary = own
	}
	f := file{Binary: binary, Set: o.Set}
	for i := range o.Nodes {
		f.Nodes = append(f.Nodes, entry{ID: i + 1, Port: o.Port + portStep*i})
	}
	c := newCluster(o.Dir, o.Detached, f)
	return c, c.save()
}

// Open finds the cluster of a folder. Nodes that it starts outlive the program.
func Open(dir string) (*Cluster, error) {
	text, err := os.ReadFile(statePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoCluster)
	}
	if err != nil {
		return nil, fmt.Errorf("read the cluster: %w", err)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%s is damaged, remove it once no node of it runs: %w", statePath(dir), err)
	}
	return newCluster(dir, true, f), nil
}

func newCluster(dir string, detached bool, f file) *Cluster {
	c := &Cluster{dir: dir, detached: detached}
	for _, e := range f.Nodes {
		c.nodes = append(c.nodes, &Node{cluster: c, binary: f.Binary, set: f.Set, entry: e})
	}
	return c
}

func statePath(dir string) string { return filepath.Join(dir, "local.json") }

// Dir is the folder of the cluster.
func (c *Cluster) Dir() string { return c.dir }

// Nodes are the nodes, by number.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Node is node id, or an error that names those that exist.
func (c *Cluster) Node(id int) (*Node, error) {
	if id < 1 || id > len(c.nodes) {
		return nil, fmt.Errorf("there is no node %d, this cluster has nodes 1 to %d", id, len(c.nodes))
	}
	return c.nodes[id-1], nil
}

// Bootstrap is where clients find the cluster.
func (c *Cluster) Bootstrap() string {
	list := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		list[i] = n.Kafka()
	}
	return strings.Join(list, ",")
}

// Up starts the nodes that do not run, and returns when all are ready or ctx ends.
func (c *Cluster) Up(ctx context.Context) error {
	for _, n := range c.nodes {
		if n.State() != Down {
			continue
		}
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := n.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends all nodes: cleanly, and those that have not ended within limit by force. Their data stays.
func (c *Cluster) Close(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var faults []error
	for _, n := range c.nodes {
		if n.State() == Down {
			continue
		}
		if err := n.Stop(ctx); err != nil {
			faults = append(faults, err, n.Kill())
		}
	}
	return errors.Join(faults...)
}

// Remove deletes what the cluster made in its folder, and the folder if nothing else is in it. No node may run.
func (c *Cluster) Remove() error {
	for _, n := range c.nodes {
		if n.State() != Down {
			return fmt.Errorf("node %d still runs (process %d), its data stays", n.ID(), n.PID())
		}
	}
	for _, n := range c.nodes {
		if err := errors.Join(os.RemoveAll(n.Data()), remove(n.Log())); err != nil {
			return err
		}
	}
	if err := remove(statePath(c.dir)); err != nil {
		return err
	}
	_ = os.Remove(c.dir) // fails where others keep files in it
	return nil
}

func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// save writes local.json anew: the old one or the new one is there, whatever happens.
func (c *Cluster) save() error {
	f := file{}
	for _, n := range c.nodes {
		f.Binary, f.Set = n.binary, n.set
		f.Nodes = append(f.Nodes, n.entry)
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	tmp := statePath(c.dir) + ".tmp"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("note the processes of the cluster: %w", err)
	}
	if err := os.Rename(tmp, statePath(c.dir)); err != nil {
		return fmt.Errorf("note the processes of the cluster: %w", err)
	}
	return nil
}
