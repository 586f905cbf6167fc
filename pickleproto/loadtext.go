package pickleproto

// Loading what is text or bytes.

// byteString pushes a Python 2 str as the options have it.
func (m *machine) byteString(s string) error {
	switch m.c.py2 {
	case AsBytes:
		if s == "" {
			m.push(anyEmptyBytes)
		} else {
			m.push(boxBytes(m.header(s)))
		}
	case DecodeASCII:
		if !isASCII(s) {
			return m.fail(m.opAt, "a Python 2 str is not ASCII")
		}
		m.push(s)
	case DecodeLatin1:
		m.charge(2 * len(s))
		m.push(fromLatin1(s))
	case DecodeUTF8:
		if !validString(s) {
			return m.fail(m.opAt, "a Python 2 str is not UTF-8")
		}
		m.push(s)
	default:
		m.push(ByteString(s))
	}
	return nil
}

func fromLatin1(s string) string {
	if isASCII(s) {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x80 {
			b = append(b, c)
		} else {
			b = append(b, 0xc0|c>>6, 0x80|c&0x3f)
		}
	}
	return string(b)
}

func (m *machine) loadString(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	n := len(line)
	if n < 2 || line[0] != line[n-1] || line[0] != '\'' && line[0] != '"' {
		return 0, m.fail(m.opAt, "the STRING opcode argument must be quoted")
	}
	m.charge(n)
	s, ok := decodeEscape(line[1 : n-1])
	if !ok {
		return 0, m.fail(m.opAt, "invalid escape in a STRING")
	}
	return next, m.byteString(s)
}

func (m *machine) loadBinString(data []byte, i int) (int, error) {
	if len(data)-i >= 4 && data[i+3]&0x80 != 0 {
		return 0, m.fail(m.opAt, "BINSTRING pickle has negative byte count")
	}
	return m.loadCountedString(data, i, 4)
}

func (m *machine) loadShortBinString(data []byte, i int) (int, error) {
	return m.loadCountedString(data, i, 1)
}

func (m *machine) loadCountedString(data []byte, i, width int) (int, error) {
	at, n, err := m.counted(data, i, width)
	if err != nil {
		return 0, err
	}
	return at + n, m.byteString(m.bytesAt(data, at, n))
}

func (m *machine) loadUnicode(data []byte, i int) (int, error) {
	line, next, err := m.line(data, i)
	if err != nil {
		return 0, err
	}
	m.charge(2 * len(line))
	s, ok := decodeRawUnicodeEscape(line)
	if !ok {
		return 0, m.fail(m.opAt, "invalid escape in a UNICODE")
	}
	switch {
	case s == "":
		m.push(anyEmptyStr)
	case len(s) == 1 || len(s) == 2 && s[0]&0xfe == 0xc2:
		m.push(m.char([]byte(s)))
	default:
		m.push(boxString(m.header(s)))
	}
	return next, nil
}

func (m *machine) loadBinUnicode8(data []byte, i int) (int, error) {
	at, n, err := m.counted(data, i, 8)
	if err != nil {
		return 0, err
	}
	if !validStr(data, at, at+n) {
		return 0, m.fail(m.opAt, "invalid UTF-8 in a str")
	}
	m.push(m.str(data, at, n))
	return at + n, nil
}

func (m *machine) loadCountedBytes(data []byte, i, width int) (int, error) {
	at, n, err := m.counted(data, i, width)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		m.push(anyEmptyBytes)
	} else {
		m.push(boxBytes(m.header(m.bytesAt(data, at, n))))
	}
	return at + n, nil
}

func (m *machine) loadBinBytes(data []byte, i int) (int, error) {
	return m.loadCountedBytes(data, i, 4)
}

func (m *machine) loadShortBinBytes(data []byte, i int) (int, error) {
	return m.loadCountedBytes(data, i, 1)
}

func (m *machine) loadBinBytes8(data []byte, i int) (int, error) {
	return m.loadCountedBytes(data, i, 8)
}

func (m *machine) loadByteArray8(data []byte, i int) (int, error) {
	at, n, err := m.counted(data, i, 8)
	if err != nil {
		return 0, err
	}
	m.charge(n + 32)
	b := data[at : at+n : at+n]
	if !m.c.lend {
		b = cloneLong(b)
	}
	m.push(&ByteArray{b})
	return at + n, nil
}

func (m *machine) loadNextBuffer(data []byte, i int) (int, error) {
	b := &Buffer{Index: m.bufferNext}
	if m.c.haveBuffers {
		if b.Index >= len(m.c.buffers) {
			return 0, m.fail(m.opAt, "not enough out-of-band buffers")
		}
		b.Data = m.c.buffers[b.Index]
	}
	m.charge(48)
	m.bufferNext++
	m.push(b)
	return i, nil
}

func (m *machine) loadReadOnlyBuffer(data []byte, i int) (int, error) {
	if !m.pops(1) {
		return 0, m.underflow(m.opAt)
	}
	switch b := m.stack[len(m.stack)-1].(type) {
	case *Buffer:
		b.ReadOnly = true
	case Bytes: // is read-only as it is
	default:
		return 0, m.fail(m.opAt, "not a buffer")
	}
	return i, nil
}

// str makes the str of the n valid bytes at data[i:].
func (m *machine) str(data []byte, i, n int) any {
	if n > 2 && m.textAll && m.nStrs < len(m.strs) { // of a short message
		p := &m.strs[m.nStrs]
		m.nStrs++
		*p = stringOf(m.text[i : i+n])
		return boxString(p)
	}
	if n <= 2 {
		if n == 0 {
			return anyEmptyStr
		}
		if n == 1 || data[i]&0xfe == 0xc2 {
			return m.char(data[i : i+n])
		}
	}
	return boxString(m.header(m.bytesAt(data, i, n)))
}

// char makes a str of one character up to U+00FF, of which CPython mostly has but one, so that the
// encoder knows it by value. There can be others: Decimal('0') is pickled with one of its own, and
// up to 3.11 a class's attribute names are such. When the stream writes a character again it
// becomes one that has an identity of its own.
func (m *machine) char(text []byte) any {
	c := text[0]
	if len(text) == 2 {
		c = c<<6 | text[1]&0x3f
	}
	bit := uint64(1) << (c & 63)
	if m.chars[c>>6]&bit != 0 {
		m.moreChars++
		return boxString(m.header(secondChar(c, len(text), m.moreChars)))
	}
	m.chars[c>>6] |= bit
	return boxString(m.header(string(text)))
}

// bytesAt returns data[i:i+n] as an immutable string.
func (m *machine) bytesAt(data []byte, i, n int) string {
	switch {
	case m.c.lend:
		return stringOf(data[i : i+n])
	case m.c.copyStrings:
		m.charge(n)
		return string(data[i : i+n])
	}
	return m.copied(data, i, i+n)
}
