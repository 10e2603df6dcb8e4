/*
 * transports/transports.c - the list of all transports, the one place that names
 * them.
 */
#include "transports/transport.h"

/* websocket_raw is not here: its URL has no session. Nor is tcp, which has none. */
static const struct transport *const all[] = {
	&websocket_transport,
	&xhr_send_transport,
	&xhr_transport,
	&xhr_streaming_transport,
	&eventsource_transport,
	&htmlfile_transport,
	&jsonp_transport,
	&jsonp_send_transport,
};

/* Those that bring what is said to the client, and so can carry a session. */
static const struct transport *const carriers[] = {
	&websocket_transport,
	&websocket_raw_transport,
	&xhr_streaming_transport,
	&eventsource_transport,
	&htmlfile_transport,
	&xhr_transport,
	&jsonp_transport,
	&tcp_transport,
};

_Static_assert(sizeof(carriers) / sizeof(*carriers) <= SESSION_TRANSPORTS_MAX, "a bit for each");

void transport_list_carriers(const char *names[SESSION_TRANSPORTS_MAX + 1])
{
	size_t i = 0;

	for (; i < sizeof(carriers) / sizeof(*carriers); i++)
		names[i] = carriers[i]->name;
	names[i] = NULL;
}

const struct transport *transport_find_carrier(struct bytes name)
{
	for (size_t i = 0; i < sizeof(carriers) / sizeof(*carriers); i++)
		if (bytes_equal(name, bytes_of(carriers[i]->name)))
			return carriers[i];
	return NULL;
}

const struct transport *transport_find(struct bytes name)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (bytes_equal(name, bytes_of(all[i]->name)))
			return all[i];
	return NULL;
}
