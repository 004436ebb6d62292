# `make` lists the targets. `make ci` is what has to pass before a change lands.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test race lint fuzz soak replicas containers model bench generate e2e pictures release clean ci \
	format tidy generated scenarios vulnerabilities

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

run: ## start the demo with the embedded broker and the offline planner
	go run ./cmd/medassist

# The packages whose tests take longest start first.
PACKAGES := ./web ./cmd/medassist ./broker ./agents ./...

test: ## run all tests
	go test $(TESTFLAGS) ./...

# Packages that the race detector does not watch, because they take 20 times as long
# under it and have no goroutines of their own: SQLite, translated from C, and bcrypt's
# cipher. No package with generic code can be added: the linker may use that code for
# packages that are watched.
UNWATCHED := modernc.org/sqlite/lib golang.org/x/crypto/blowfish

race: ## run the tests, in their short form, under the race detector
	go test $(TESTFLAGS) -race $(UNWATCHED:%=-gcflags=%=-race=false) -short -timeout 20m $(PACKAGES)

lint: format ## check formatting, vet, and run the linters
	go vet ./...
	go tool staticcheck ./...
	go tool errcheck -ignoretests -exclude .lint/errcheck.txt ./...
	go tool go-check-sumtype ./...
	go tool revive -config .lint/revive.toml -set_exit_status ./...
	git ls-files '*.go' '*.templ' '*.md' | grep -v '^llm/planner/' | xargs go tool misspell -error # the planner knows misspelled words

FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME (30s), two at a time
	@scripts/fuzz.sh $(FUZZTIME)

soak: ## run the demo under load for ten minutes
	MEDASSIST_SOAK=10m go test -count=1 -timeout 20m -run TestSoak -v ./cmd/medassist

replicas: ## test replicas at length: takeovers, an outage, crashes, revocations
	MEDASSIST_REPLICAS=long MEDASSIST_POSTGRES=required go test -count=1 -timeout 30m -v -run 'Replica|DatabaseIsAway' ./cmd/medassist
	MEDASSIST_REPLICAS=long MEDASSIST_POSTGRES=required go test -count=1 -timeout 30m -v -run 'DatabaseCrash|RevocationHolds|Frozen' ./broker

containers: ## build the image's program, and start docker-compose.yml with it
	scripts/engine.sh go test -count=1 -run 'TestImage|TestContainers' -v ./internal/conformance

model: ## play an encounter with a small model on a real llama.cpp server
	scripts/model.sh

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

generate: ## compile the templ components to Go
	go tool templ generate -log-level error

e2e: ## run the browser tests; screenshots go to artifacts/
	MEDASSIST_BROWSER=required MEDASSIST_SCREENSHOTS=$(CURDIR)/artifacts go test -count=1 -run Browser ./...

pictures: ## take the pictures of the guides again
	MEDASSIST_BROWSER=required MEDASSIST_SCREENSHOTS=$(CURDIR)/docs/pictures go test -count=1 -run TestBrowserPictures ./cmd/medassist

VERSION ?= $(shell git describe --tags --always --dirty)
release: ## build static binaries for six platforms in dist/
	@for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do \
	  os=$${target%/*}; arch=$${target#*/}; ext=; [ $$os = windows ] && ext=.exe; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch go build -trimpath -ldflags "-s -w -X main.release=$(VERSION)" \
	    -o dist/medassist-$$os-$$arch$$ext ./cmd/medassist || exit 1; \
	done

clean: ## delete what the other targets build
	rm -rf bin dist artifacts

# Each step of `make ci` announces itself with the time since the start.
START := $(shell date +%s)
section = @printf '\n== %s (%ss)\n' "$(1)" "$$(($$(date +%s) - $(START)))"

# `go test` does not vet here, because `make lint` has done it.
ci: ## run everything that has to pass before a change lands
	$(call section,go.mod is tidy)
	@$(MAKE) --no-print-directory tidy
	$(call section,generated code is up to date)
	@$(MAKE) --no-print-directory generated
	$(call section,linters)
	@$(MAKE) --no-print-directory lint
	$(call section,tests)
	@$(MAKE) --no-print-directory test TESTFLAGS=-vet=off
	$(call section,every scenario has its expected outcome)
	@$(MAKE) --no-print-directory scenarios
	$(call section,containers)
	@$(MAKE) --no-print-directory containers
	$(call section,tests under the race detector)
	@$(MAKE) --no-print-directory race TESTFLAGS=-vet=off
	$(call section,fuzz targets)
	@$(MAKE) --no-print-directory fuzz FUZZTIME=2s
	$(call section,known vulnerabilities)
	@$(MAKE) --no-print-directory vulnerabilities
	$(call section,done)

# The steps of `make ci` that are not targets of their own above.
format:
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); \
	[ -z "$$unformatted" ] || { printf 'gofmt would change:\n%s\n' "$$unformatted" >&2; exit 1; }

tidy:
	go mod tidy -diff

generated:
	@hash() { git ls-files -z '*_templ.go' | xargs -0 sha256sum; }; \
	before=$$(hash); $(MAKE) --no-print-directory generate && [ "$$before" = "$$(hash)" ] || \
	{ echo "generated code was out of date: commit what 'make generate' changed" >&2; exit 1; }

scenarios:
	go run ./cmd/medassist check

vulnerabilities:
	@if curl -sf -m 20 -o /dev/null https://vuln.go.dev/index/modules.json; then go tool govulncheck ./...; \
	else echo "skipped: the vulnerability database cannot be reached"; fi
