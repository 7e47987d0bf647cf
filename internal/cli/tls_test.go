package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// certificate makes one that signs itself, for the given address, with its PEM.
func certificate(t *testing.T, address string) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestTLS(t *testing.T) {
	right, rightPEM := certificate(t, "127.0.0.1")
	elsewhere, elsewherePEM := certificate(t, "192.0.2.1")
	_, strangerPEM := certificate(t, "127.0.0.1")
	for _, c := range []struct {
		name    string
		server  tls.Certificate
		trusted []byte
		more    string
		code    int
	}{
		{"trusted", right, rightPEM, "", exitDone},
		{"not trusted", right, strangerPEM, "", exitFailed},
		{"another name", elsewhere, elsewherePEM, "", exitFailed},
		{"another name, names not checked", elsewhere, elsewherePEM, "ssl.endpoint.identification.algorithm=\n", exitDone},
		{"not trusted, names not checked", right, strangerPEM, "ssl.endpoint.identification.algorithm=\n", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := fakeCluster(t, kfake.SeedTopics(1, "t"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c.server}}))
			dir := t.TempDir()
			trust, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.properties")
			text := "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location=" + trust + "\n" + c.more
			for name, content := range map[string][]byte{trust: c.trusted, config: []byte(text)} {
				if err := os.WriteFile(name, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := holdfast(t, brokersOf(cluster), "x\n", "produce", "t", "--client-config", config).want(t, c.code)
			if c.code != exitDone && !strings.Contains(r.err, "ssl.truststore.location") {
				t.Errorf("does not say why: %s", r.err)
			}
		})
	}
	// Plain against TLS: the error says where to look.
	cluster := fakeCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{right}}))
	if r := holdfast(t, brokersOf(cluster), "", "topic", "list").want(t, exitFailed); !strings.Contains(r.err, "security.protocol") {
		t.Error(r.err)
	}
}
