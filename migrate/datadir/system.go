package datadir

import (
	"context"
	"fmt"
	"time"

	"entrepot/app/mail"
	"entrepot/app/outbound"
	"entrepot/app/scripts"
	"entrepot/app/settings"
	"entrepot/migrate/inventory"
)

// readSystem reads what is set for the whole server.
func (d *Directory) readSystem(ctx context.Context, inv *inventory.Inventory) error {
	for table, read := range map[string]func(*inventory.Inventory, *row){
		"email_configuration": d.readMail, "http_client_configuration": d.readHTTP, "capability_storage_item": d.readCapability,
		"script": readScript, "deployment_id": readNode,
	} {
		for r, err := range d.rows(ctx, table) {
			if err != nil {
				return err
			}
			if read(inv, r); r.err != nil {
				return r.err
			}
		}
	}
	if err := d.readLDAP(ctx, inv); err != nil {
		return err
	}
	for _, c := range d.survey.Keystore.Trusted {
		inv.System.Certificates = append(inv.System.Certificates, inventory.Certificate{Name: c.Alias, PEM: encodePEM("CERTIFICATE", c.DER), Added: c.Created.UTC()})
	}
	return nil
}

func readNode(inv *inventory.Inventory, r *row) {
	inv.System.NodeID = r.text("deployment_id")
	inv.SystemID = inv.System.NodeID
}

func readScript(inv *inventory.Inventory, r *row) {
	inv.System.Scripts = append(inv.System.Scripts, scripts.Script{Name: r.text("name"), Type: r.text("type"), Content: r.text("content")})
}

func (d *Directory) readMail(inv *inventory.Inventory, r *row) {
	password, _ := d.secret(r.at("password"), "")
	inv.System.Mail = &mail.Settings{
		Enabled: r.flag("enabled"), Host: r.text("host"), Port: int(r.number("port")), Username: r.text("username"), Password: mail.Secret(password),
		From: r.text("fromaddress"), SubjectPrefix: r.optional("subjectprefix"), StartTLS: r.flag("starttlsenabled"), NeedStartTLS: r.flag("starttlsrequired"),
		TLS: r.flag("sslonconnectenabled"), CheckName: r.flag("sslcheckserveridentityenabled"), TrustStore: r.flag("nexustruststoreenabled"),
	}
}

func (d *Directory) readHTTP(inv *inventory.Inventory, r *row) {
	s := &outbound.Settings{}
	connection := r.object("connection")
	s.UserAgentSuffix = connection.text("userAgentSuffix")
	if seconds, ok := connection.number("timeout"); ok {
		s.Timeout = time.Duration(seconds) * time.Second
	}
	if retries, ok := connection.number("retries"); ok {
		n := int(retries)
		s.Retries = &n
	}
	proxy := r.object("proxy")
	secrets := d.takeSecrets(r.at("proxy"), proxy)
	for name, into := range map[string]**outbound.Proxy{"http": &s.HTTP, "https": &s.HTTPS} {
		if p := proxy.object(name); p != nil {
			*into = proxyOf(p, string(secrets[name+".authentication.password"]))
		}
	}
	s.Direct = proxy.list("nonProxyHosts")
	for _, member := range []string{"useTrustStore", "enableCircularRedirects", "enableCookies"} {
		if connection.flag(member) {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The setting %s of all outgoing requests stays behind: it is set for each cache here.", member))
		}
	}
	if r.object("authentication") != nil {
		inv.Notes = append(inv.Notes, "The credentials of all outgoing requests stay behind: they are set for each cache here.")
	}
	inv.System.HTTP = s
}

func proxyOf(o object, password string) *outbound.Proxy {
	port, _ := o.number("port")
	p := &outbound.Proxy{Enabled: o.flag("enabled"), Host: o.text("host"), Port: int(port)}
	if a := o.object("authentication"); a != nil {
		p.Auth = &outbound.ProxyAuth{
			Enabled: true, Username: a.text("username"), Password: outbound.Secret(password), NTLMHost: a.text("host"), NTLMDomain: a.text("domain"),
		}
	}
	return p
}

func (d *Directory) readCapability(inv *inventory.Inventory, r *row) {
	c := settings.Capability{ID: r.uuid("id"), Type: r.text("type"), Enabled: r.flag("enabled"), Notes: r.text("notes")}
	properties := r.object("properties")
	for id, secret := range d.takeSecrets(r.at("properties"), properties) {
		if c.Secrets == nil {
			c.Secrets = make(map[string]settings.Secret)
		}
		c.Secrets[id] = settings.Secret(secret)
	}
	for id := range properties {
		if c.Properties == nil {
			c.Properties = make(map[string]string, len(properties))
		}
		c.Properties[id] = plainText(properties, id)
	}
	inv.System.Capabilities = append(inv.System.Capabilities, c)
}
