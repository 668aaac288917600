package repository

import (
	"context"
	"errors"
	"fmt"
)

// BlobStoreStatus is what a blob store holds and how much room it has.
type BlobStoreStatus struct {
	BlobStore
	Err   error // why its bytes cannot be used; nil when they can
	Blobs int64 // distinct blobs that records reach
	Bytes int64 // sum of their sizes
	Free  int64 // bytes; 0 when nobody knows
}

// BlobStoreStatus counts what is in a blob store. The cause of its refusal is ErrNotFound.
func (e *Engine) BlobStoreStatus(ctx context.Context, name string) (BlobStoreStatus, error) {
	b := e.state.Load().stores[name]
	if b == nil {
		return BlobStoreStatus{}, errStoreNotFound(name)
	}
	status := BlobStoreStatus{BlobStore: b.def, Err: b.err}
	if b.blobs == nil && b.err == nil {
		status.Err = errors.New("this server cannot serve blob stores of type " + b.def.Type)
	}
	usage, err := e.opts.Catalog.StoreUsage(ctx, name)
	if err != nil {
		return BlobStoreStatus{}, fmt.Errorf("repository: usage of blob store %s: %w", name, err)
	}
	status.Blobs, status.Bytes = usage.Blobs, usage.Bytes
	if e.opts.FreeSpace == nil || status.Err != nil {
		return status, nil
	}
	status.Free, err = e.opts.FreeSpace(b.def)
	if err != nil {
		status.Err = err
	}
	return status, nil
}

// Exceeded reports whether the blob store breaks its soft quota.
func (s *BlobStoreStatus) Exceeded() bool {
	switch {
	case s.Quota == nil:
		return false
	case s.Quota.Type == QuotaUsed:
		return s.Bytes > s.Quota.Limit
	case s.Quota.Type == QuotaRemaining:
		return s.Free < s.Quota.Limit
	}
	return false
}
