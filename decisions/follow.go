package decisions

import "context"

// follow shows what other replicas store, and stores what could not be stored before,
// until ctx ends.
func (l *Log) follow(ctx context.Context, changed <-chan struct{}) {
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		failed := l.fault != nil
		l.mu.Unlock()
		if failed {
			l.save(ctx)
		} else {
			l.refresh(ctx)
		}
	}
}

// refresh shows what others have stored.
func (l *Log) refresh(ctx context.Context) {
	l.storing.Lock()
	defer l.storing.Unlock()
	known := l.stored.head()
	stored := l.catchUp(ctx)
	if stored.head() == known {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.show(stored)
}

// catchUp returns what is stored now. If that can't be read it returns what is known,
// and the next attempt reads more. The caller holds storing.
func (l *Log) catchUp(ctx context.Context) State {
	h, err := l.storage.head(ctx)
	if err != nil || h == l.stored.head() {
		return l.stored
	}
	s := l.stored
	for more := true; more; {
		entries, err := l.storage.read(ctx, "", s.Size)
		if err != nil {
			return l.stored
		}
		s.add(entries...)
		more = len(entries) == page
	}
	s.finish(h)
	if s.Broken == nil || l.stored.Broken != nil {
		return s
	}
	// Entries may have been dropped between two pages: only a whole read can tell.
	if err := s.load(ctx, l.storage); err != nil {
		return l.stored
	}
	return s
}
