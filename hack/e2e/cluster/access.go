package cluster

import (
	"fmt"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// admin may do everything.
const (
	adminUser  = "admin"
	adminGroup = "system:masters"
)

// Admin configures a client that may do everything.
func (c *Cluster) Admin() (*rest.Config, error) { return c.Config(adminUser, adminGroup) }

// AdminKubeconfig is the path of a kubeconfig file that may do everything.
func (c *Cluster) AdminKubeconfig() (string, error) { return c.Kubeconfig(adminUser, adminGroup) }

// Config configures a client as a user of these groups, known to the server by
// a client certificate. Such a user needs no account; only RBAC knows it.
func (c *Cluster) Config(user string, groups ...string) (*rest.Config, error) {
	cert, key, err := c.authority.client(user, groups)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: "https://" + c.address,
		TLSClientConfig: rest.TLSClientConfig{
			CAData:   c.authority.certPEM,
			CertData: cert,
			KeyData:  key,
		},
		QPS: -1, // the server's own fairness is enough
	}, nil
}

// Kubeconfig writes a kubeconfig file for a user as Config describes it, and
// returns its path.
func (c *Cluster) Kubeconfig(user string, groups ...string) (string, error) {
	config, err := c.Config(user, groups...)
	if err != nil {
		return "", err
	}
	return c.writeKubeconfig(user, config)
}

func (c *Cluster) writeKubeconfig(user string, config *rest.Config) (string, error) {
	const name = "test"
	path := c.path(strings.ReplaceAll(user, ":", "-") + ".kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{name: {
			Server:                   config.Host,
			CertificateAuthorityData: config.CAData,
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: config.CertData,
			ClientKeyData:         config.KeyData,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}, path)
	if err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", user, err)
	}
	return path, nil
}
