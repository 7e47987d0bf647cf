package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Listener is one address Kafka clients connect to.
type Listener struct {
	Name           string // upper case: PLAINTEXT
	Host           string // "" is every address of the machine
	Port           int    // 0 picks a free one
	AdvertisedHost string // what clients are told; "" if nothing is: then the address they reached (see Wildcard)
	AdvertisedPort int    // 0 if nothing is advertised: then the port it listens on
}

// Address is HOST:PORT for net.Listen.
func (l Listener) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// Wildcard tells whether it listens on every address, so that Host cannot be told to clients.
func (l Listener) Wildcard() bool {
	ip := net.ParseIP(l.Host)
	return l.Host == "" || (ip != nil && ip.IsUnspecified())
}

// Loopback tells whether only this machine can reach it.
func (l Listener) Loopback() bool {
	ip := net.ParseIP(l.Host)
	return strings.EqualFold(l.Host, "localhost") || (ip != nil && ip.IsLoopback())
}

// Listeners is what serves Kafka clients: listeners without those of the metadata quorum, each with what
// advertised.listeners says about it. It fails where the keys contradict each other, which Load has checked.
func (v *Values) Listeners() ([]Listener, error) {
	all, err := parseListeners(v.String("listeners"))
	if err != nil {
		return nil, &KeyError{Key: "listeners", Message: err.Error()}
	}
	hidden := map[string]bool{}
	for _, name := range v.List("controller.listener.names") {
		hidden[strings.ToUpper(name)] = true
	}
	protocols := protocolMap(v.String("listener.security.protocol.map"))
	var out []Listener
	for _, l := range all {
		if hidden[l.Name] {
			continue
		}
		protocol, ok := protocols[l.Name]
		if !ok {
			return nil, &KeyError{Key: "listeners", Message: fmt.Sprintf("listener %s has no security protocol. Add %s:PLAINTEXT to listener.security.protocol.map", l.Name, l.Name)}
		}
		if protocol != "PLAINTEXT" {
			return nil, &KeyError{Key: "listeners", Message: fmt.Sprintf("listener %s asks for %s, which is not supported yet. Use PLAINTEXT, or leave this listener out", l.Name, protocol)}
		}
		out = append(out, l)
	}
	if len(out) == 0 {
		return nil, &KeyError{Key: "listeners", Message: "no listener is left for clients. Name one that is not in controller.listener.names"}
	}
	return v.advertise(out, hidden)
}

func (v *Values) advertise(out []Listener, hidden map[string]bool) ([]Listener, error) {
	told, err := parseListeners(v.String("advertised.listeners"))
	if err != nil {
		return nil, &KeyError{Key: "advertised.listeners", Message: err.Error()}
	}
	for _, a := range told {
		found := hidden[a.Name]
		for i := range out {
			if out[i].Name == a.Name {
				out[i].AdvertisedHost, out[i].AdvertisedPort, found = a.Host, a.Port, true
			}
		}
		if !found {
			return nil, &KeyError{Key: "advertised.listeners", Message: fmt.Sprintf("%s is not the name of one in listeners", a.Name)}
		}
	}
	return out, nil
}

// parseListeners reads a list of NAME://HOST:PORT. Names are folded to upper case and must be distinct, as must
// be ports, except that one may listen on IPv4 and another on IPv6.
func parseListeners(value string) ([]Listener, error) {
	var out []Listener
	for _, item := range SplitList(value) {
		name, address, ok := strings.Cut(item, "://")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not NAME://HOST:PORT, such as PLAINTEXT://127.0.0.1:9092", item)
		}
		host, port, err := net.SplitHostPort(address)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || strings.ContainsAny(host, " /\t") {
			return nil, fmt.Errorf("%q is not NAME://HOST:PORT with a port up to 65535", item)
		}
		l := Listener{Name: strings.ToUpper(name), Host: host, Port: int(n)}
		for _, o := range out {
			if o.Name == l.Name {
				return nil, fmt.Errorf("the name %s is used twice", l.Name)
			}
			if o.Port == l.Port && l.Port != 0 && !otherFamily(o.Host, l.Host) {
				return nil, fmt.Errorf("port %d is used twice", l.Port)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// otherFamily: one host is an IPv4 address and the other an IPv6 one.
func otherFamily(a, b string) bool {
	x, y := net.ParseIP(a), net.ParseIP(b)
	return x != nil && y != nil && (x.To4() == nil) != (y.To4() == nil)
}

func listenersOK(v string) bool {
	l, err := parseListeners(v)
	return err == nil && len(l) > 0
}

func advertisedOK(v string) bool {
	all, err := parseListeners(v)
	for _, l := range all {
		if l.Wildcard() {
			return false // clients cannot connect to 0.0.0.0
		}
	}
	return err == nil && len(all) > 0
}

func protocolMap(v string) map[string]string {
	out := map[string]string{}
	for _, item := range SplitList(v) {
		name, protocol, _ := strings.Cut(item, ":")
		out[strings.ToUpper(strings.TrimSpace(name))] = strings.ToUpper(strings.TrimSpace(protocol))
	}
	return out
}

func protocolMapOK(v string) bool {
	for _, p := range protocolMap(v) { // order-free
		switch p {
		case "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL":
		default:
			return false
		}
	}
	return len(protocolMap(v)) == len(SplitList(v))
}

func httpOK(v string) bool { return v == "off" || hostPortOK(v) }

func hostPortOK(v string) bool {
	_, port, err := net.SplitHostPort(v)
	_, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil
}

func hostPortsOK(v string) bool {
	for _, item := range SplitList(v) {
		if !hostPortOK(item) {
			return false
		}
	}
	return true
}

func votersOK(v string) bool {
	for _, item := range SplitList(v) {
		id, address, _ := strings.Cut(item, "@")
		if n, err := strconv.ParseInt(id, 10, 32); err != nil || n < 0 || !hostPortOK(address) {
			return false
		}
	}
	return true
}

// ConnectionOverrides reads max.connections.per.ip.overrides: the limit of each address or host name.
func (v *Values) ConnectionOverrides() map[string]int {
	out := map[string]int{}
	for _, item := range SplitList(v.String("max.connections.per.ip.overrides")) {
		at := strings.LastIndexByte(item, ':')
		if n, err := strconv.ParseInt(strings.TrimSpace(item[at+1:]), 10, 32); at > 0 && err == nil {
			out[strings.Trim(item[:at], "[] ")] = int(n)
		}
	}
	return out
}

func overridesOK(v string) bool {
	for _, item := range SplitList(v) {
		at := strings.LastIndexByte(item, ':')
		n, err := strconv.ParseInt(strings.TrimSpace(item[at+1:]), 10, 32)
		if at <= 0 || err != nil || n < 0 {
			return false
		}
	}
	return true
}
