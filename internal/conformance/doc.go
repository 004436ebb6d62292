// Package conformance has no code of its own. Its tests build the program as the
// Dockerfile does, run it, and compare what it does with the files that describe
// it: the OpenAPI documents, the Dockerfile, docker-compose.yml and the folder deploy.
//
// They are apart from other tests because libopenapi and compose-go are slow to
// compile and to link; no other package imports either. They are left out under
// the race detector, which sees nothing of a program that runs beside the test.
package conformance
