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

// BlobStoreStatus counts what is in a blob store, of a group in all its members. The cause of its refusal is ErrNotFound.
func (e *Engine) BlobStoreStatus(ctx context.Context, name string) (BlobStoreStatus, error) {
	s := e.state.Load().stores[name]
	if s == nil {
		return BlobStoreStatus{}, errStoreNotFound(name)
	}
	if s.def.Type != BlobStoreGroup {
		return e.storeStatus(ctx, s)
	}
	status := BlobStoreStatus{BlobStore: s.def, Err: s.err}
	for _, m := range s.members {
		of, err := e.storeStatus(ctx, m)
		if err != nil {
			return BlobStoreStatus{}, err
		}
		status.Blobs += of.Blobs
		status.Bytes += of.Bytes
		status.Free += of.Free
	}
	return status, nil
}

func (e *Engine) storeStatus(ctx context.Context, s *store) (BlobStoreStatus, error) {
	status := BlobStoreStatus{BlobStore: s.def, Err: s.err}
	if s.blobs == nil && s.err == nil {
		status.Err = errors.New("this server cannot serve blob stores of type " + s.def.Type)
	}
	usage, err := e.opts.Catalog.StoreUsage(ctx, s.def.Ref())
	if err != nil {
		return BlobStoreStatus{}, fmt.Errorf("repository: usage of blob store %s: %w", s.def.Name, err)
	}
	status.Blobs, status.Bytes = usage.Blobs, usage.Bytes
	if e.opts.FreeSpace == nil || status.Err != nil {
		return status, nil
	}
	if status.Free, err = e.opts.FreeSpace(s.def); err != nil {
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
