/*
 * stomp/stomp_private.h - what the files of the parser share: stomp_parse.c gets octets together,
 * stomp_head.c reads a line of them and makes a head of lines, stomp_frame.c knows what there is to
 * be said of a failure.
 *
 * Inner functions return 0 or more, or a negated enum stomp_failure; stomp_parse() alone turns that
 * into what its caller sees.
 */
#ifndef STOMP_STOMP_PRIVATE_H
#define STOMP_STOMP_PRIVATE_H

#include "stomp/stomp_frame.h"

/* All the ways in which a frame is wrong; the table in stomp_frame.c has a row for each. */
enum stomp_failure {
	STOMP_NUL_IN_HEAD = 1,
	STOMP_LINE_TOO_LONG,
	STOMP_HEAD_TOO_LARGE,
	STOMP_TOO_MANY_HEADERS,
	STOMP_NO_COLON,
	STOMP_NO_NAME,
	STOMP_NO_COMMAND,
	STOMP_CR_IN_COMMAND,
	STOMP_CR_IN_BLANK_LINE,
	STOMP_CR_BETWEEN_FRAMES,
	STOMP_CR_ALONE,
	STOMP_ODD_ESCAPE, /* of f->odd */
	STOMP_NO_ESCAPE,
	STOMP_NOT_UTF8,
	STOMP_SURROGATE,
	STOMP_BAD_LENGTH,
	STOMP_LENGTH_TOO_LARGE,
	STOMP_BODY_TOO_LARGE,
	STOMP_BODY_FORBIDDEN,
	STOMP_NUL_MISSING,
	STOMP_NUL_LATER,
	STOMP_OBJECT_AS_TEXT,
	STOMP_OCTETS_AS_TEXT,
	STOMP_NO_MEMORY,
};

/* How far a frame that may still be incomplete is understood. */
struct stomp_reading {
	enum stomp_command command;
	size_t head;    /* octets of the lines that are understood, or of the whole head */
	size_t headers; /* how many lines of them are headers */
	bool in_body;   /* the head is whole */
	bool plain;     /* and surely ASCII without a backslash */
	bool has_length;
	size_t length; /* then: content-length */
	size_t seen;   /* octets of the body */
};

/* Only these three may have a body (STOMP 1.1 and 1.2). */
static inline bool stomp_has_body(enum stomp_command command)
{
	return command == STOMP_SEND || command == STOMP_MESSAGE || command == STOMP_ERROR;
}

/* Whether a line end may have a carriage return. */
static inline bool stomp_knows_cr(enum stomp_version version)
{
	return version == STOMP_1_2 || version == STOMP_UNDECIDED;
}

/* STOMP_NONE if it is none. */
enum stomp_command stomp_command_of(struct bytes name);
/* Fills in error, why and command. */
void stomp_frame_fail(
    struct stomp_frame *f, enum stomp_failure failure, enum stomp_version version);

/* --- stomp_scan.c --------------------------------------------------------- */

/* A head that is whole and, as far as its lines go, right. False: it may be, or not; what *r and
 * f->headers say then is of no use. */
bool stomp_scan_head(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *data, size_t n);

/* --- stomp_head.c --------------------------------------------------------- */

/* Whether the first line, of which these octets are here, shows that a client has turned binary
 * into text: 0, or a negated failure. */
int stomp_binary_as_text(const char *p, size_t n);
/* The next line, without its LF. Headers go to f->headers, as they are. */
int stomp_read_line(const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r,
    const char *line, size_t n);
/* What can be said of a head only when it is whole; its headers are in f->headers. */
int stomp_end_head(
    const struct stomp_parser *p, struct stomp_frame *f, struct stomp_reading *r, const char *head);
/* The headers of lines that have been read before, as stomp_read_line() has them. */
void stomp_split_again(enum stomp_version version, struct stomp_frame *f,
    const struct stomp_reading *r, const char *head);
/* Replaces those of f->headers that have escapes. */
int stomp_unescape_all(const struct stomp_parser *p, struct stomp_frame *f,
    const struct stomp_reading *r, const char *head);
/* The receipt header of a frame that is wrong. */
void stomp_find_receipt(enum stomp_version version, struct stomp_frame *f,
    const struct stomp_reading *r, const char *head);

#endif
