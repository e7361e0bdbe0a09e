// Package pluginhost finds plugins, describes them, starts them, and watches
// their processes. It knows go-plugin, descriptors and signals, so that the rest
// of the host sees Go interfaces and errors. It decides nothing about a run: when
// a plugin is started again after a crash, and what it is then told, is the
// business of who uses it.
//
// # How the pieces meet
//
//   - [Search] lists the folders that may hold plugins, [Discover] looks into them:
//     names alone, no file is opened.
//   - A [Catalog] answers what each plugin is: it asks a plugin once, in a process
//     that ends at once, and keeps the answer on disk for as long as the binary is
//     the same file. While that holds, no question starts a process.
//   - [Start] starts one plugin for work. A [Process] gives the service's Go
//     interface, says when and how the process ended, and ends it.
//
// # What a plugin process gets
//
// The binary's checksum has to be the one that the catalog knows. Host and plugin
// authenticate each other with certificates made for this one start. Of the host's
// environment the plugin sees an allow-list and what [Options] grants; standard
// input is empty. Its socket lies in a private folder that is removed with it. It
// runs in a process group of its own, so that Ctrl-C reaches the host alone, and
// holds one end of a pipe, the lifeline, so that it ends when the host does,
// even by SIGKILL. What it writes to standard error, or to standard output, becomes
// log lines of the host.
//
// # Errors
//
// A call that is under way when the process dies returns an error that is an
// [*ExitedError], with the exit status or signal and the last lines that the
// process wrote. Errors of the plugin itself are those of package fault.
package pluginhost
