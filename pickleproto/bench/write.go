package main

import (
	"bytes"
	"fmt"
	"os"
)

// The marks in README.md between which the tables are.
const (
	tablesBegin = "<!-- The tables are written by `make bench BENCHFLAGS=-write`. -->\n"
	tablesEnd   = "<!-- The end of the tables. -->\n"
)

// writeTables puts the tables into the page of that name.
func writeTables(name string, tables []byte) error {
	page, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	page, err = withTables(page, tables)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.WriteFile(name, page, 0o644)
}

func withTables(page, tables []byte) ([]byte, error) {
	before, rest, ok1 := bytes.Cut(page, []byte(tablesBegin))
	_, after, ok2 := bytes.Cut(rest, []byte(tablesEnd))
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the marks of the tables are missing")
	}
	return bytes.Join([][]byte{before, []byte(tablesBegin), []byte("\n"), tables, []byte("\n"), []byte(tablesEnd), after}, nil), nil
}
