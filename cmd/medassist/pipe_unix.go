//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// watchPipe calls stop when the reader of the pipe that f writes to is gone. It
// does nothing if f is not a pipe.
func watchPipe(f *os.File, stop func()) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd())}} // errors are reported without asking for events
	go func() {
		for {
			n, err := unix.Poll(fds, -1)
			switch {
			case errors.Is(err, unix.EINTR), err == nil && n == 0:
			case err != nil:
				return
			default:
				stop()
				return
			}
		}
	}()
}
