/* Writes a PDF file: pages of fixed-pitch text and bitmaps. Positions are points (1/72 inch) from the upper left corner. */
#ifndef CONSOLE_PRINT_PDF_H
#define CONSOLE_PRINT_PDF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PDF_BOLD = 1, PDF_ITALIC = 2 };
enum { PDF_PAGES = 2000 };                      /* at most; what follows is lost */
struct pdf;
struct pdf *pdf_open(FILE *);                   /* the file stays the caller's */
/* Characters in Unicode, one above the other's base line y, each `advance` wide; size: of the font in points. */
void pdf_text(struct pdf *, double x, double y, unsigned style, double size, double advance, const uint16_t *text, size_t count);
void pdf_line(struct pdf *, double x, double y, double width);
/* rows of `stride` bytes, the leftmost dot in bit 7; a set bit is black */
void pdf_bitmap(struct pdf *, double x, double y, double width, double height, const uint8_t *bits, unsigned stride, unsigned columns,
                unsigned rows);
void pdf_page(struct pdf *, double width, double height);       /* what came since the last one is a page of this size */
unsigned pdf_pages(const struct pdf *);
bool pdf_close(struct pdf *);                   /* false: something could not be written */

#endif
