package datadir

import (
	"encoding/binary"
	"errors"
	"time"
)

// errPacked reports a spooled record that does not read back. Spools are files of this process, so only its disk can be the cause.
var errPacked = errors.New("datadir: index of content is damaged")

func packText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// packTime keeps microseconds, as the tables do; 0 stands for none.
func packTime(b []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), at.UnixMicro())
}

func packMap(b []byte, m map[string]string) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for key, value := range m {
		b = packText(packText(b, key), value)
	}
	return b
}

// unpacker takes a record apart. Its texts share the record's memory. After the first fault it gives zero values and bad is set.
type unpacker struct {
	rest string
	bad  bool
}

func (u *unpacker) number() uint64 {
	n := uint64(0)
	for i := 0; i < len(u.rest) && i < binary.MaxVarintLen64; i++ {
		c := u.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			u.rest = u.rest[i+1:]
			return n
		}
	}
	u.bad, u.rest = true, ""
	return 0
}

func (u *unpacker) text() string {
	n := u.number()
	if n > uint64(len(u.rest)) {
		u.bad, u.rest = true, ""
		return ""
	}
	s := u.rest[:n]
	u.rest = u.rest[n:]
	return s
}

func (u *unpacker) time() time.Time {
	if u.number() == 0 {
		return time.Time{}
	}
	n := u.number()
	return time.UnixMicro(int64(n>>1) ^ -int64(n&1)).UTC()
}

func (u *unpacker) texts() map[string]string {
	n := u.number()
	if n == 0 || n > uint64(len(u.rest)) {
		u.bad = u.bad || n != 0
		return nil
	}
	m := make(map[string]string, n)
	for range n {
		key := u.text()
		m[key] = u.text()
	}
	return m
}

func (u *unpacker) end() error {
	if u.bad || u.rest != "" {
		return errPacked
	}
	return nil
}

func (r *blobRow) pack(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(r.Size))
	for _, s := range []string{r.Ref, r.ContentType, r.Digests.SHA1, r.Digests.SHA256, r.Digests.MD5, r.Digests.SHA512, r.By, r.IP} {
		b = packText(b, s)
	}
	return packTime(packTime(b, r.Created), r.Added)
}

func (r *blobRow) unpack(record string) error {
	u := unpacker{rest: record}
	r.Size = int64(u.number())
	for _, s := range []*string{&r.Ref, &r.ContentType, &r.Digests.SHA1, &r.Digests.SHA256, &r.Digests.MD5, &r.Digests.SHA512, &r.By, &r.IP} {
		*s = u.text()
	}
	r.Created, r.Added = u.time(), u.time()
	return u.end()
}

func (r *componentRow) pack(b []byte) []byte {
	b = packText(packText(packText(packText(b, r.Group), r.Name), r.Version), r.Kind)
	return packTime(packTime(packMap(b, r.Attributes), r.Created), r.Updated)
}

func (r *componentRow) unpack(record string) error {
	u := unpacker{rest: record}
	r.Group, r.Name, r.Version, r.Kind = u.text(), u.text(), u.text(), u.text()
	r.Attributes = u.texts()
	r.Created, r.Updated = u.time(), u.time()
	return u.end()
}
