//go:build !unix

package client

// alive cannot be found out here without waiting; a call finds out.
func (l *link) alive() bool { return true }
