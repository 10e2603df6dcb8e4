/*
 * daemon/doctor_command.h - `sockjsd doctor`: what the network between here and a SockJS endpoint does to
 * its clients, and what can be done about it.
 */
#ifndef DAEMON_DOCTOR_COMMAND_H
#define DAEMON_DOCTOR_COMMAND_H

#include "daemon/cmdline.h"

/* argv[0] is "doctor". */
enum exit_code doctor_command(int argc, char **argv);

#endif
