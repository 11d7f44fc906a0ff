import UnixSignals

/// Calls `body` once for each SIGTERM or SIGINT that this program gets, until its task is cancelled.
package func forEachStopSignal(_ body: @Sendable () async -> Void) async {
    for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { await body() }
}
