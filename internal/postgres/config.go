package postgres

import (
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTimeout is how long connecting may take, with all hosts of a URL.
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
	pool.ConnConfig.ConnectTimeout = perHost(&pool.ConnConfig.Config)
	session.ConnectTimeout = perHost(&session.Config)
	return pool, session, nil
}

// perHost returns how long to try each host of a URL, so that one that does not
// answer leaves time for the next.
func perHost(config *pgconn.Config) time.Duration {
	hosts := map[string]bool{net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))): true}
	for _, other := range config.Fallbacks {
		hosts[net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port)))] = true
	}
	return connectTimeout / time.Duration(len(hosts))
}
