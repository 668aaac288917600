package leveldb

// Waiting is the number of batches that wait for the writer.
func Waiting(d *Driver) int {
	d.writer.mu.Lock()
	defer d.writer.mu.Unlock()
	return len(d.writer.waiting)
}
