/* The program's version, as --version and manifests show it. */
#ifndef CONSOLE_VERSION_H
#define CONSOLE_VERSION_H
#define HOLDOVER_VERSION "0.1"
#endif
