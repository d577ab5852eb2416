package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/verdictpdp/verdict/api/authz"
)

// chain is how many backups go on from a full one before there is another.
const chain = 4

// backUp backs the store up, in full or from the backup before.
func backUp(ctx context.Context, w *work, _ *world, n int) error {
	if n%(chain+1) == 0 {
		for _, file := range w.backups {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
		w.backups = nil
	}
	file := filepath.Join(w.server.dir, fmt.Sprintf("%d.backup", n))
	arguments := []string{"backup", "--server", w.server.grpc, file}
	if len(w.backups) > 0 {
		arguments = append(arguments, "--since", w.backups[len(w.backups)-1])
	}
	if err := w.server.verdict(ctx, arguments...); err != nil {
		return err
	}
	w.backups = append(w.backups, file)
	return nil
}

// restore goes on from the last backups, with nothing else under way, restores all of
// them, and holds what is restored to what the server has.
func (w *work) restore(ctx context.Context) error {
	if len(w.backups) == 0 {
		return errors.New("there is no backup to restore")
	}
	if err := backUp(ctx, w, nil, -1); err != nil {
		return err
	}
	restored := filepath.Join(w.server.dir, "restored")
	if err := w.server.verdict(ctx, append([]string{"restore", "--data", restored}, w.backups...)...); err != nil {
		return err
	}
	directory, err := open(restored, w.worlds)
	if err != nil {
		return err
	}
	for _, world := range w.worlds {
		var got bytes.Buffer
		_, wrong := directory.Export(ctx, world.tenant, authz.Consistency{}, &got)
		want, failed := w.export(ctx, world.tenant)
		if err = errors.Join(err, wrong, failed); err == nil && !bytes.Equal(got.Bytes(), want) {
			err = fmt.Errorf("%s: what was restored is not what the server has: an export of %d bytes beside one of %d", world.tenant, got.Len(), len(want))
		}
	}
	return errors.Join(err, directory.Close())
}
