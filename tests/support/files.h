/* Temporary folders and host programs for tests. */
#ifndef TESTS_FILES_H
#define TESTS_FILES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

char *test_folder(void);                        /* a new one, below $TMPDIR; removed at exit of the test's process */
char *test_path(const char *folder, const char *name);          /* static, good for the next 255 calls */
bool test_program(const char *name);            /* is it on the PATH (with the sbin folders)? */
int test_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));     /* by the shell, quietly; the exit status */
void test_write(const char *path, const void *bytes, size_t length);
uint8_t *test_read(const char *path, size_t *length);

/* Ends a Criterion test as skipped, with the line that tests/run.sh counts. */
#define TEST_SKIP(name, ...) do { printf("SKIP " name ": " __VA_ARGS__); puts(""); fflush(stdout); cr_skip_test(__VA_ARGS__); } while (0)

#endif
