package activation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// changes are the changes at and below one path.
//
// Directories are watched, since a file that an editor renames into place is
// another file than the one before: the path itself and all below it, and all
// above it, so that the path may be missing, be removed and come back, or lie
// behind a link that is turned to another release.
type changes struct {
	path    string
	watcher *fsnotify.Watcher
}

// watchPath watches a path as it stands. The watches of directories that come
// later are missing: whoever saw a change calls it again.
func watchPath(path string) (*changes, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, unwatched(path, err)
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, unwatched(path, err)
	}
	c := &changes{path: path, watcher: watcher}
	if err := errors.Join(c.addAbove(), c.addBelow()); err != nil {
		c.close()
		return nil, unwatched(path, err)
	}
	return c, nil
}

// addAbove watches the directories above the path, as far as they are there and
// may be read.
func (c *changes) addAbove() error {
	for dir := c.path; dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		if err := c.watcher.Add(dir); unlessMissing(err) != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// addBelow watches the path and the directories below it, except for those that
// no bundle reads. What vanishes meanwhile is no error: its directory tells.
func (c *changes) addBelow() error {
	if err := c.watcher.Add(c.path); err != nil {
		return unlessMissing(err)
	}
	if info, err := os.Stat(c.path); err != nil || !info.IsDir() {
		return unlessMissing(err)
	}
	return fs.WalkDir(os.DirFS(c.path), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return unlessMissing(err)
		case !entry.IsDir() || name == ".":
			return nil
		case strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		}
		return unlessMissing(c.watcher.Add(filepath.Join(c.path, name)))
	})
}

// wait returns when the path has changed and been quiet since, has changed for
// too long, has not changed for as long as a failure is left alone, or ctx ends.
func (c *changes) wait(ctx context.Context, failed bool) {
	var alone, settled, overdue <-chan time.Time
	if failed {
		alone = time.After(retry)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-alone:
			return
		case <-settled:
			return
		case <-overdue:
			return
		case <-c.watcher.Errors: // such as events lost: take it for a change
		case event := <-c.watcher.Events:
			if !c.concerns(event) {
				continue
			}
		}
		alone, settled = nil, time.After(quiet)
		if overdue == nil {
			overdue = time.After(most)
		}
	}
}

// concerns reports whether an event can change what is read at the path: it is
// about the path, below it, or above it. Writing into a file that does not count,
// such as a log, changes nothing; what comes, goes or is renamed may be a
// directory or a link.
func (c *changes) concerns(event fsnotify.Event) bool {
	name := filepath.Clean(event.Name)
	if name == c.path || below(c.path, name) {
		return true
	}
	return below(name, c.path) && (event.Op != fsnotify.Write || bundle.Counts(filepath.Base(name)))
}

func below(name, dir string) bool {
	return strings.HasPrefix(name, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

func (c *changes) close() { _ = c.watcher.Close() }

func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func unwatched(path string, err error) error {
	return authz.Errorf(authz.Unavailable, "%s cannot be watched: raise the system's limit (on Linux fs.inotify.max_user_instances and max_user_watches): %w", path, err)
}
