# FVM's front door. `make run` goes from a fresh Debian machine to a first result.
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   := build
FVM     := $(BUILD)/native/launcher/fvm
MONITOR := $(BUILD)/mingw/monitor/fvm-monitor.exe
GUEST   := $(BUILD)/mingw/guest/fvmguest.dll
INSTALL := install

.PHONY: all product native mingw asan fuzz run test bench install uninstall deps format clean help

all: native mingw

help:
	@echo "make             build everything"
	@echo "make run         from a fresh machine to a real Windows program in a VM"
	@echo "make test        all tests (make test SUITES='core cli' for some; see tools/test.sh)"
	@echo "make bench       measure VMs against the host"
	@echo "make install     to $(PREFIX) (PREFIX=DIR, DESTDIR=DIR; no root needed for your own)"
	@echo "make uninstall   remove what make install has put there"
	@echo "make deps        install what is missing from Debian's packages"
	@echo "make fuzz        build the fuzz programs (needs clang)"
	@echo "make format      format the C sources"

$(BUILD)/%/build.ninja:
	@cmake --preset $* -DCMAKE_MESSAGE_LOG_LEVEL=WARNING >/dev/null

# The two builds do not touch one another; each is parallel in itself.
native mingw asan fuzz: %: $(BUILD)/%/build.ninja
	@cmake --build --preset $*

# What `fvm` itself consists of, without tests and benchmarks.
product: $(BUILD)/native/build.ninja $(BUILD)/mingw/build.ninja
	@cmake --build --preset native --target fvm
	@cmake --build --preset mingw --target fvm-monitor fvmguest

deps:
	@tools/deps.sh

run: deps
	@$(MAKE) --no-print-directory -s product
	@tools/demo.sh

test: deps
	@tools/test.sh $(SUITES)

bench: deps
	@$(MAKE) --no-print-directory -s all
	@bench/run.sh

install:
	@for f in $(FVM) $(MONITOR) $(GUEST); do \
	    [ -f $$f ] || { echo "$$f is missing: run \`make\` first" >&2; exit 1; }; done
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/fvm $(DESTDIR)$(PREFIX)/share/man/man1
	$(INSTALL) -m 755 $(FVM) $(DESTDIR)$(PREFIX)/bin/fvm
	$(INSTALL) -m 644 $(MONITOR) $(GUEST) $(DESTDIR)$(PREFIX)/lib/fvm/
	$(INSTALL) -m 644 docs/fvm.1 $(DESTDIR)$(PREFIX)/share/man/man1/fvm.1

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/fvm $(DESTDIR)$(PREFIX)/share/man/man1/fvm.1
	rm -f $(DESTDIR)$(PREFIX)/lib/fvm/fvm-monitor.exe $(DESTDIR)$(PREFIX)/lib/fvm/fvmguest.dll
	-rmdir $(DESTDIR)$(PREFIX)/lib/fvm 2>/dev/null

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD)
