.PHONY: run test race generate lint e2e pictures bench fuzz ci release clean

run: ## the demo, on embedded parts
	go run ./cmd/medassist

test:
	go test ./...

race:
	go test -race ./...

generate: ## templ components to Go
	go tool templ generate

lint:
	gofmt -l $$(git ls-files '*.go')
	go vet ./...
	go tool staticcheck ./...

e2e: ## the browser tests; screenshots in artifacts/
	MEDASSIST_BROWSER=required MEDASSIST_SCREENSHOTS=$(CURDIR)/artifacts go test -count=1 -run Browser ./...

pictures: ## the guides' pictures, of today's pages
	MEDASSIST_BROWSER=required MEDASSIST_SCREENSHOTS=$(CURDIR)/docs/pictures go test -count=1 -run TestBrowserPictures ./cmd/medassist

bench:
	go test -run '^$$' -bench . -benchmem ./...

FUZZTIME ?= 30s
fuzz:
	@for f in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
	  for t in $$(grep -o '^func Fuzz[A-Za-z0-9_]*' $$f | sed 's/^func //'); do \
	    go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; \
	  done; \
	done

ci:
	bash .ci/run

VERSION ?= $(shell git describe --tags --always --dirty)
release: ## static binaries in dist/
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do \
	  os=$${target%/*}; arch=$${target#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags "-s -w -X main.release=$(VERSION)" \
	    -o dist/medassist-$$os-$$arch$$ext ./cmd/medassist || exit 1; \
	done

clean:
	rm -rf bin dist artifacts
