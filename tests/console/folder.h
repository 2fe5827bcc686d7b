/* What tests of whole runs need: the shipped profiles, the firmware, and a folder of their own that goes away. */
#ifndef TESTS_CONSOLE_FOLDER_H
#define TESTS_CONSOLE_FOLDER_H
#include "tests/support/files.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void folder_make(char *template)
{
    cr_assert(mkdtemp(template));
    if (!access("legacy-profiles/generic.profile", R_OK))
        setenv("HOLDOVER_PROFILES", "legacy-profiles", 1);
    if (access("/usr/share/seabios/bios-256k.bin", R_OK))
        TEST_SKIP("console.firmware", "the firmware (package seabios) is not installed");
}

static inline void folder_remove(const char *folder)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert(!system(command));
}

#endif
