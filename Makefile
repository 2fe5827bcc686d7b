# Holdover: build, run, check, bench, layers, lint, install. Plain GNU make; V=1 shows the commands.
#   make O=build/asan SAN=address,undefined check-unit     out of tree, sanitised
#   make CC=clang O=build/clang all
O       ?= build
CC       = gcc
NASM    ?= nasm
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
V       ?= 0
Q        = $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@echo "  $(1)	$(2)";)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PRECIOUS: %.bin
MAKEFLAGS += --no-builtin-rules
BUILD := $(abspath $(O))

OPT      = $(if $(SAN),-O1,-O2)
CFLAGS  += -std=gnu17 $(OPT) -g -fno-strict-aliasing -fwrapv -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wvla -Werror $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
CPPFLAGS += -D_GNU_SOURCE -I hypervisor -I .
LDFLAGS += $(if $(SAN),-fsanitize=$(SAN))

# Libraries: the needed ones stop the build with a sentence, the optional ones turn a feature off with one.
pkg      = $(shell pkg-config --exists $(1) 2>/dev/null && echo yes)
NEEDED   = zlib libpng sdl2 jansson libcrypto libiso9660 libcdio inih liblzma libzstd libdeflate
CPPFLAGS += $(shell pkg-config --cflags $(NEEDED) 2>/dev/null)
LIBS     = $(shell pkg-config --libs $(NEEDED) 2>/dev/null) -lbz2 -lpthread -lm
ifeq ($(call pkg,slirp),yes)
LIBS    += $(shell pkg-config --libs slirp)
CPPFLAGS += -DHAVE_SLIRP
endif
ifeq ($(call pkg,libnbd),yes)
LIBS    += $(shell pkg-config --libs libnbd)
CPPFLAGS += -DHAVE_LIBNBD
endif
ifeq ($(call pkg,libxml-2.0),yes)
LIBS    += $(shell pkg-config --libs libxml-2.0)
CPPFLAGS += $(shell pkg-config --cflags libxml-2.0) -DHAVE_LIBXML
endif
ifeq ($(call pkg,libguestfs),yes)
GUESTFS_LIBS := $(shell pkg-config --libs libguestfs)
CPPFLAGS += -DHAVE_GUESTFS
endif

ifeq ($(call pkg,libewf),yes)
LIBS    += $(shell pkg-config --libs libewf)
CPPFLAGS += -DHAVE_LIBEWF
endif

# --- sources --------------------------------------------------------------------------------------------------
HYPERVISOR := $(wildcard hypervisor/*/*.c hypervisor/*/*/*.c)
IMPORTERS  := $(wildcard importers/*.c importers/*/*.c)
CONSOLE    := $(wildcard console/*.c)
ROMS       := $(wildcard drivers/*/*.asm)
obj         = $(patsubst %.c,$(BUILD)/%.o,$(1))
SUITES     := unit devices cpu engine block importers console
TOOLS      := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))

PROGRAM    := $(BUILD)/holdover
LIB        := $(BUILD)/libhypervisor.a
IMPORTLIB  := $(BUILD)/libimporters.a
TESTLIB    := $(BUILD)/libtests.a

.PHONY: all deps demo check check-unit check-guests check-importers golden lockstep lockstep-long bench bench-import layers lint install clean tests fuzz fuzz-devices fuzzers needed
all: $(PROGRAM) $(TOOLS) $(BUILD)/legacy-profiles

$(PROGRAM): $(call obj,$(CONSOLE)) $(IMPORTLIB) $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) $(GUESTFS_LIBS)
$(LIB): $(call obj,$(HYPERVISOR)) $(patsubst %.asm,$(BUILD)/%.o,$(ROMS))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^
$(IMPORTLIB): $(call obj,$(IMPORTERS))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^
$(BUILD)/legacy-profiles: $(wildcard legacy-profiles/*) ; $(Q)ln -sfn $(CURDIR)/legacy-profiles $@ && touch -h $@

# The interpreter's handlers end in tail calls; -fno-stack-protector and the like keep them so.
$(BUILD)/hypervisor/engine/interpreter/%.o: CFLAGS += -fno-stack-protector -fomit-frame-pointer -fno-plt -foptimize-sibling-calls

$(BUILD)/%.o: %.c | needed
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
# An option ROM: assembled, then wrapped as the symbols rom_NAME and rom_NAME_end.
$(BUILD)/drivers/%.bin: drivers/%.asm
	$(call say,NASM,$<)mkdir -p $(@D) && $(NASM) -f bin -o $@ $<
$(BUILD)/drivers/%.o: $(BUILD)/drivers/%.bin
	$(Q)printf '.section .rodata,"a"\n.balign 16\n.global rom_$(*F)\nrom_$(*F):\n.incbin "$<"\n.global rom_$(*F)_end\nrom_$(*F)_end:\n.section .note.GNU-stack,"",@progbits\n' \
		| $(CC) -x assembler -c -o $@ -

needed:
	$(Q)for l in $(NEEDED); do pkg-config --exists $$l 2>/dev/null || { \
		echo "make: the library $$l is missing; run 'make deps' first" >&2; exit 1; }; done
ifneq ($(call pkg,slirp),yes)
	$(Q)echo "make: libslirp is missing: net.mode=nat is left out"
endif
ifneq ($(call pkg,libnbd),yes)
	$(Q)echo "make: libnbd is missing: nbd:// sources are left out"
endif
ifneq ($(call pkg,libxml-2.0),yes)
	$(Q)echo "make: libxml2 is missing: OVA sources are left out"
endif
ifneq ($(call pkg,libewf),yes)
	$(Q)echo "make: libewf is missing: EnCase images (E01) will not be imported"
endif
ifndef GUESTFS_LIBS
	$(Q)echo "make: libguestfs is missing: imports will not look inside the disk"
endif

# --- tests ----------------------------------------------------------------------------------------------------
# tests/NAME/*.c make the Criterion program build/tests/NAME-suite; tests/support/*.c are shared; tests/tools/*.c have a main
# of their own; tests/*/*.asm are bare-metal images, assembled flat; tests/fuzz/*.c are libFuzzer targets (clang).
IMAGES := $(patsubst %.asm,$(BUILD)/%.bin,$(wildcard tests/*/*.asm))
TESTS  := $(foreach s,$(SUITES),$(if $(wildcard tests/$(s)/*.c),$(BUILD)/tests/$(s)-suite))
$(BUILD)/tests/%.bin: tests/%.asm $(wildcard tests/*/*.inc)
	$(call say,NASM,$<)mkdir -p $(@D) && $(NASM) -f bin -I tests/cpu/ -I tests/engine/ -o $@ $<
$(TESTLIB): $(call obj,$(wildcard tests/support/*.c))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^
define suite
$(BUILD)/tests/$(1)-suite: $(call obj,$(wildcard tests/$(1)/*.c)) $(if $(filter console,$(1)),$(filter-out $(BUILD)/console/main.o,$(call obj,$(CONSOLE))))
endef
$(foreach s,$(SUITES),$(eval $(call suite,$(s))))
$(BUILD)/tests/%-suite: $(TESTLIB) $(IMPORTLIB) $(LIB)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(TESTLIB) $(IMPORTLIB) $(LIB) -lcriterion $(LIBS) $(GUESTFS_LIBS)
$(TOOLS): $(BUILD)/tests/%: $(BUILD)/tests/tools/%.o $(TESTLIB) $(IMPORTLIB) $(LIB)
	$(call say,LD,$@)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LIBS) $(GUESTFS_LIBS)

tests: $(TESTS) $(TOOLS) $(IMAGES) $(BUILD)/legacy-profiles

# The whole promise of `make check`: installs what is missing, builds, tests.
check: deps
	$(Q)$(MAKE) --no-print-directory check-unit check-guests
check-unit: all tests
	$(Q)O=$(BUILD) tests/run.sh $(TESTS)
check-guests: all tests
	$(Q)O=$(BUILD) tests/guests/run.sh
# Whole imports of disks made from packages and by own writers; IMPORTERS_ARGS=--short leaves packages and libguestfs out.
check-importers: all
	$(Q)O=$(BUILD) tests/importers/run.sh $(IMPORTERS_ARGS)
# A minute of fuzzing (FUZZ_SECONDS a target); crashes are left in build/fuzz.
FUZZ_SECONDS ?= 15
fuzz:
	$(Q)O=$(BUILD)/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run.sh
# Long: ten minutes (FUZZ_MINUTES) a device.
FUZZ_MINUTES ?= 10
fuzz-devices:
	$(Q)O=$(BUILD)/fuzz FUZZ_TARGETS=devices FUZZ_SECONDS=$$(($(FUZZ_MINUTES) * 60)) tests/fuzz/run.sh
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzzers: $(FUZZERS)
$(BUILD)/tests/fuzz/fuzz_print: $(call obj,$(addprefix console/,print_escp.c print_pdf.c printer.c text.c))
$(BUILD)/tests/fuzz/fuzz_volumes: $(call obj,tests/support/volume_make.c)
$(FUZZERS): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(IMPORTLIB) $(LIB)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS) $(GUESTFS_LIBS)
# Interpreter against translator, minutes and hours; tests/lockstep.sh says what may be set.
lockstep: tests
	$(Q)O=$(BUILD) tests/lockstep.sh
lockstep-long: tests
	$(Q)O=$(BUILD) LOCKSTEP_CASES=$(or $(LOCKSTEP_CASES),5000000) LOCKSTEP_SECONDS=$(or $(LOCKSTEP_SECONDS),120) tests/lockstep.sh
# What the translator emits for common code, taken over after a change that was meant.
golden: tests
	$(Q)HOLDOVER_GOLDEN=tests/engine/golden.txt $(BUILD)/tests/engine-suite --filter 'golden/*' && git --no-pager diff --stat -- tests/engine/golden.txt
bench-import: all
	$(Q)O=$(BUILD) tests/bench/import.sh
bench: deps
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)O=$(BUILD) tests/bench/run.sh
	$(Q)O=$(BUILD) tests/bench/disk.sh
	$(Q)O=$(BUILD) tests/bench/scsi.sh
	$(Q)O=$(BUILD) tests/bench/dos.sh
	$(Q)O=$(BUILD) tests/bench/boot.sh
	$(Q)O=$(BUILD) tests/bench/net.sh
	$(Q)O=$(BUILD) tests/bench/import.sh

deps:
	$(Q)scripts/deps.sh
demo: ; $(Q)O=$(BUILD) scripts/demo.sh

layers: ; $(Q)scripts/layers.sh
lint: ; $(Q)scripts/lint.sh

install: all
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/holdover
	install -d $(DESTDIR)$(PREFIX)/share/holdover/profiles $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 legacy-profiles/* $(DESTDIR)$(PREFIX)/share/holdover/profiles
	install -d $(DESTDIR)$(PREFIX)/share/holdover/collect
	install -m 644 drivers/collect/collect.sh drivers/collect/collect.vbs drivers/collect/COLLECT.BAT $(DESTDIR)$(PREFIX)/share/holdover/collect
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/holdover.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdover
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/disks -prune -o -name '*.d' -type f -print 2>/dev/null)
