package sse

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"sync"
)

// A Block is one or more whole messages, encoded once for all clients that
// receive them. The zero Block is empty.
//
// Its compressed form refers to nothing before it and ends on a byte boundary,
// with the empty stored block of a flush (RFC 1951, section 3.2.4). Blocks can
// therefore follow each other in any order within one gzip stream: a client that
// joins late needs none of the earlier ones. Browsers do not accept a gzip member
// per message: they ignore what follows the first.
type Block struct{ plain, deflated []byte }

// compressors are reused, because each needs about a megabyte.
var compressors = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestCompression) // the level is valid
	return w
}}

// NewBlock compresses messages. It is meant for what many clients receive.
func NewBlock(messages []byte) Block {
	var b bytes.Buffer
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	w.Reset(&b)
	_, _ = w.Write(messages) // to memory: can't fail
	_ = w.Flush()
	return Block{messages, bytes.Clone(b.Bytes())}
}

// maxStored is the largest stored block of a deflate stream.
const maxStored = 1<<16 - 1

// Plain returns messages for a single client. They are not compressed: a
// compressor for each client would need more memory than the client itself.
func Plain(messages []byte) Block {
	var stored []byte
	for rest := messages; len(rest) > 0; {
		n := min(len(rest), maxStored)
		stored = append(stored, 0)
		stored = binary.LittleEndian.AppendUint16(stored, uint16(n))
		stored = binary.LittleEndian.AppendUint16(stored, ^uint16(n))
		stored = append(stored, rest[:n]...)
		rest = rest[n:]
	}
	return Block{messages, stored}
}

// Empty reports whether the block holds no message.
func (b Block) Empty() bool { return len(b.plain) == 0 }

// gzipHeader begins a gzip stream without a name, a time or flags (RFC 1952).
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// checksum is what a gzip stream ends with.
type checksum struct{ crc, size uint32 }

func (c *checksum) add(plain []byte) {
	c.crc = crc32.Update(c.crc, crc32.IEEETable, plain)
	c.size += uint32(len(plain))
}

// trailer returns an empty final block and the checksum.
func (c *checksum) trailer() []byte {
	b := []byte{3, 0}
	b = binary.LittleEndian.AppendUint32(b, c.crc)
	return binary.LittleEndian.AppendUint32(b, c.size)
}

// acceptsGzip reports whether a client accepts gzip, by its Accept-Encoding
// header (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, q, weighted := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q = strings.TrimSpace(q)
		return !weighted || strings.Trim(strings.TrimPrefix(q, "q="), "0.") != ""
	}
	return false
}
