// Package sqlite keeps the broker's records in one SQLite file, for one process. A
// commit is on disk when Update returns (write-ahead log, synchronous=FULL).
package sqlite
