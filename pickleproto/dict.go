package pickleproto

import "iter"

type Dict struct{}

func NewDict() *Dict                     { return nil }
func (d *Dict) Len() int                 { return 0 }
func (d *Dict) Get(key any) (any, bool)  { return nil, false }
func (d *Dict) Set(key, value any) error { return nil }
func (d *Dict) Delete(key any) bool      { return false }
func (d *Dict) All() iter.Seq2[any, any] { return nil }

type Set struct{}

func NewSet(items ...any) (*Set, error) { return nil, nil }
func (s *Set) Len() int                 { return 0 }
func (s *Set) Has(v any) bool           { return false }
func (s *Set) Add(v any) error          { return nil }
func (s *Set) Remove(v any) bool        { return false }
func (s *Set) All() iter.Seq[any]       { return nil }

type FrozenSet struct{}

func NewFrozenSet(items ...any) (*FrozenSet, error) { return nil, nil }
func (s *FrozenSet) Len() int                       { return 0 }
func (s *FrozenSet) Has(v any) bool                 { return false }
func (s *FrozenSet) All() iter.Seq[any]             { return nil }
