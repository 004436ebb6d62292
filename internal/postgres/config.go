package postgres

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const connectTimeout = 3 * time.Second

// ErrURL is the error for a URL that can't be parsed. It does not contain the URL,
// which can contain a password.
var ErrURL = errors.New("the database URL can't be parsed; want postgres://user:password@host:port/database")

// Parse returns the configuration of a pool, and that of connections that need a
// session of their own, to listen for example. Those use the direct URL, if there is
// one: the other may then lead through a pooler in transaction mode.
func Parse(url, direct string) (pool *pgxpool.Config, session *pgx.ConnConfig, err error) {
	if pool, err = pgxpool.ParseConfig(url); err != nil {
		return nil, nil, ErrURL
	}
	session = pool.ConnConfig.Copy()
	if direct != "" {
		if session, err = pgx.ParseConfig(direct); err != nil {
			return nil, nil, ErrURL
		}
		// A pooler gives each transaction another connection of the server, which
		// does not know the prepared statements of this client.
		pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	pool.ConnConfig.ConnectTimeout, session.ConnectTimeout = connectTimeout, connectTimeout
	return pool, session, nil
}
