/*
 * nats/nats_headers.h - the headers of a message: read where they lie, when somebody asks.
 *
 *	NATS/1.0[ status[ description]] CR LF  (name ":" value CR LF)*  CR LF
 *
 * A name may stand several times. Names are compared with their case; blanks around a value do not
 * count.
 */
#ifndef NATS_HEADERS_H
#define NATS_HEADERS_H

#include <stdbool.h>

#include "base/bytes.h"

/* Headers of JetStream. */
#define NATS_MSG_ID                         "Nats-Msg-Id"
#define NATS_EXPECTED_STREAM                "Nats-Expected-Stream"
#define NATS_EXPECTED_LAST_SEQUENCE         "Nats-Expected-Last-Sequence"
#define NATS_EXPECTED_LAST_SUBJECT_SEQUENCE "Nats-Expected-Last-Subject-Sequence"
#define NATS_EXPECTED_LAST_MSG_ID           "Nats-Expected-Last-Msg-Id"
#define NATS_SEQUENCE                       "Nats-Sequence"      /* of what was republished */
#define NATS_LAST_SEQUENCE                  "Nats-Last-Sequence" /* the one before on its subject */

struct nats_header {
	struct bytes name, value;
};

/* The next one of a block, behind `*at`, which begins at 0. False: there are no more, or what is
 * there is none. */
bool nats_headers_next(struct bytes block, size_t *at, struct nats_header *header);
/* The value of the first of this name; p is NULL if there is none. */
struct bytes nats_headers_get(struct bytes block, const char *name);
/* The status that stands in the first line: 100 to 999, and its description; 0: there is none. */
unsigned nats_headers_status(struct bytes block, struct bytes *description);

#endif
