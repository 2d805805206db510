# Set-up, demo and tests in two commands: see README.md. The work is done by the scripts in dev/.

PG_CONFIG ?= pg_config

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: demo
demo: ## Set up, build, start a private PostgreSQL, import records of four sources twice, show the result
	@dev/demo

.PHONY: clean-demo
clean-demo: ## Stop the demo's PostgreSQL and remove it with its data
	@dev/server remove demo

.PHONY: test
test: ## Set up, build, run all tests on a private PostgreSQL 18, over SQL and over HTTP
	@dev/test

.PHONY: matrix
matrix: ## The same on PostgreSQL 15, 16, 17 and 18
	@dev/matrix

.PHONY: move
move: ## Move a database with data from PostgreSQL 15 to 18 in three ways, and compare (before a release)
	@dev/move 15 18

.PHONY: fuzz
fuzz: ## Send it 100,000 hostile records and calls, or CASES of them, and check every answer
	@dev/fuzz $(if $(CASES),--cases $(CASES))

.PHONY: bench
bench: ## Measure it against what one would write instead (about 15 minutes)
	@dev/bench

SECONDS ?= 180

.PHONY: torture
torture: ## Attack it with many connections, crashes and cancels (SECONDS=180, SEED=… repeats a run)
	@dev/torture --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: install
install: ## Install a release build into the PostgreSQL of PG_CONFIG (15 to 18)
	@dev/install $(PG_CONFIG)

.PHONY: package
package: ## Make an archive that installs without Rust, for the PostgreSQL of PG_CONFIG or for 18
	@dev/package $(if $(filter file,$(origin PG_CONFIG)),,$(PG_CONFIG))

.PHONY: check-package
check-package: ## Install the archive for 18 into a second private PostgreSQL, without Rust, and use it
	@dev/check-package

.PHONY: lint
lint: ## Formatting and lints of Rust and TypeScript, warnings are errors; released scripts are as they were
	@dev/lint

.PHONY: lint-sql
lint-sql: ## pgspot, squawk and Supabase's advisors on the SQL that is installed
	@dev/lint-sql

.PHONY: clean
clean: ## Remove everything that was built or set up
	@dev/server remove demo
	@dev/server remove test
	@dev/server remove bench
	@dev/server remove bench-before
	@dev/server remove torture
	@rm -rf target .private
