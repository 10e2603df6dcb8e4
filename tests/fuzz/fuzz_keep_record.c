/*
 * tests/fuzz/fuzz_keep_record.c - any octets as a record of the broker's journal: it is read, or
 * refused; and what was read is written as it was.
 */
#include <stdint.h>
#include <string.h>

#include "pubsub/keep_record.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int write_again(struct buf *to, const struct keep_record *r)
{
	switch (r->kind) {
	case KEEP_RUN:
		return keep_write_run(to, &r->run);
	case KEEP_COUNT:
		return keep_write_count(to, &r->count);
	default:
		return keep_write_message(to, r->kind, &r->message)
		           ?: buf_add(to, r->message.body.p, r->message.body.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keep_record record;
	struct buf again = BUF_INIT;

	if (keep_read((struct bytes){ (const char *)data, size }, &record))
		return 0;
	must(write_again(&again, &record) == 0);
	must(buf_len(&again) == size && memcmp(buf_data(&again), data, size) == 0);
	buf_fini(&again);
	return 0;
}
