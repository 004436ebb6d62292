package broker

import "encoding/hex"

// smallOrder holds the encodings, without the sign bit, of the points of order 1,
// 2, 4 and 8 on edwards25519: five points, and the non-canonical encodings of two
// of them. For such a public key signatures can be forged without a private key
// (RFC 8032 section 8.4 leaves rejecting them to the protocol).
var smallOrder = func() map[[32]byte]struct{} {
	set := make(map[[32]byte]struct{})
	for _, y := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", // 1: order 1
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // -1: order 2
		"0000000000000000000000000000000000000000000000000000000000000000", // 0: order 4
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p, that is 0
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1, that is 1
	} {
		var point [32]byte
		_, _ = hex.Decode(point[:], []byte(y)) // the literals above
		set[point] = struct{}{}
	}
	return set
}()

// isSmallOrder reports whether a 32-byte public key is one of these points, with
// either sign bit.
func isSmallOrder(key []byte) bool {
	point := [32]byte(key)
	point[31] &= 0x7f
	_, found := smallOrder[point]
	return found
}
