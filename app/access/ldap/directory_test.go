package ldap

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// entry is what the directory of the tests holds: attributes by lower-case name.
type entry struct {
	dn         string
	secret     string
	attributes map[string][]string
}

// directory is a small LDAP server on loopback: simple binds and searches over a list of entries.
type directory struct {
	listener net.Listener
	entries  []entry

	mu       sync.Mutex
	conns    map[net.Conn]bool
	binds    []string // "DN:secret" of every bind
	filters  []string // of every search
	refusing bool     // closes every connection at once
}

func startDirectory(t *testing.T, entries []entry, secure *tls.Config) *directory {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	d := &directory{listener: listener, entries: entries, conns: make(map[net.Conn]bool)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { d.serve(conn) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		d.hangUp()
		serving.Wait()
	})
	return d
}

// hangUp ends all connections.
func (d *directory) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn := range d.conns {
		_ = conn.Close()
	}
}

func (d *directory) port() int { return d.listener.Addr().(*net.TCPAddr).Port }

// refuse makes the directory close connections at once, or not any more.
func (d *directory) refuse(now bool) {
	d.mu.Lock()
	d.refusing = now
	d.mu.Unlock()
	if now {
		d.hangUp()
	}
}

func (d *directory) seen() (binds, filters []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.binds), slices.Clone(d.filters)
}

func (d *directory) serve(conn net.Conn) {
	defer conn.Close()
	d.mu.Lock()
	refusing := d.refusing
	d.conns[conn] = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.conns, conn)
		d.mu.Unlock()
	}()
	for !refusing {
		packet, err := ber.ReadPacket(conn)
		if err != nil || len(packet.Children) < 2 {
			return
		}
		id, _ := packet.Children[0].Value.(int64)
		request := packet.Children[1]
		switch request.Tag {
		case ldap.ApplicationBindRequest:
			d.answer(conn, id, ldap.ApplicationBindResponse, d.bind(request))
		case ldap.ApplicationSearchRequest:
			for _, e := range d.search(request) {
				if _, err := conn.Write(envelope(id, e.packet()).Bytes()); err != nil {
					return
				}
			}
			d.answer(conn, id, ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess)
		default:
			return
		}
	}
}

func (d *directory) bind(request *ber.Packet) uint16 {
	dn, secret := request.Children[1].Value.(string), request.Children[2].Data.String()
	d.mu.Lock()
	d.binds = append(d.binds, dn+":"+secret)
	d.mu.Unlock()
	for _, e := range d.entries {
		if e.dn == dn && secret != "" && e.secret == secret {
			return ldap.LDAPResultSuccess
		}
	}
	return ldap.LDAPResultInvalidCredentials
}

func (d *directory) search(request *ber.Packet) []entry {
	base, scope := strings.ToLower(request.Children[0].Value.(string)), request.Children[1].Value.(int64)
	filter := request.Children[6]
	text, err := ldap.DecompileFilter(filter)
	d.mu.Lock()
	d.filters = append(d.filters, text)
	d.mu.Unlock()
	var found []entry
	for _, e := range d.entries {
		above, below := strings.CutSuffix(strings.ToLower(e.dn), ","+base)
		if err == nil && below && (scope == ldap.ScopeWholeSubtree || !strings.Contains(above, ",")) && e.fits(filter) {
			found = append(found, e)
		}
	}
	return found
}

// fits evaluates the filters that this package sends.
func (e entry) fits(filter *ber.Packet) bool {
	fits := func(p *ber.Packet) bool { return e.fits(p) }
	switch filter.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(filter.Children, func(p *ber.Packet) bool { return !e.fits(p) })
	case ldap.FilterOr:
		return slices.ContainsFunc(filter.Children, fits)
	case ldap.FilterPresent:
		return len(e.attributes[strings.ToLower(filter.Data.String())]) > 0
	case ldap.FilterEqualityMatch:
		name, want := filter.Children[0].Value.(string), filter.Children[1].Value.(string)
		return slices.ContainsFunc(e.attributes[strings.ToLower(name)], func(have string) bool {
			return strings.EqualFold(strings.TrimSpace(have), strings.TrimSpace(want)) // as real directories do
		})
	case ldap.FilterSubstrings:
		name, want := filter.Children[0].Value.(string), filter.Children[1].Children[0].Data.String()
		return slices.ContainsFunc(e.attributes[strings.ToLower(name)], func(have string) bool {
			return strings.HasPrefix(strings.ToLower(have), strings.ToLower(want))
		})
	}
	return false
}

func (e entry) packet() *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(text(e.dn))
	list := ber.NewSequence("")
	for name, values := range e.attributes {
		attribute, set := ber.NewSequence(""), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range values {
			set.AppendChild(text(v))
		}
		attribute.AppendChild(text(name))
		attribute.AppendChild(set)
		list.AppendChild(attribute)
	}
	p.AppendChild(list)
	return p
}

func text(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func envelope(id int64, operation *ber.Packet) *ber.Packet {
	p := ber.NewSequence("")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	p.AppendChild(operation)
	return p
}

func (d *directory) answer(conn net.Conn, id int64, kind ber.Tag, code uint16) {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, kind, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
	p.AppendChild(text(""))
	p.AppendChild(text(""))
	if _, err := conn.Write(envelope(id, p).Bytes()); err != nil && !errors.Is(err, net.ErrClosed) {
		_ = conn.Close()
	}
}
