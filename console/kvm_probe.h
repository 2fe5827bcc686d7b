/* Does hardware virtualisation work here? Permissions and versions do not tell: a program is run. */
#ifndef CONSOLE_KVM_PROBE_H
#define CONSOLE_KVM_PROBE_H
#include <stdbool.h>
#include <stddef.h>

enum { KVM_TEXT = 160 };
/* Runs a few instructions of real mode in a virtual machine, in a child with a time limit. false: `text` says why it did not work. */
bool kvm_works(char *text, size_t size);

#endif
