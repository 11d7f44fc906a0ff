import EventLog
import Foundation
import Runtime
import Storage

/// Fills a log that nobody serves, in large commits: what was there before a measurement.
enum BulkFill {
    private static let requestEvents = 10_000
    private static let commitRequests = 4

    static func write(events: Int, to directory: String, workload: Workload = .typical) async throws {
        let directory = StateDirectory(path: directory)
        try directory.prepare()
        let log = try SQLiteLog(files: LogFiles(database: directory.logDatabase)) {
            Timestamp(microseconds: Int64(Date.now.timeIntervalSince1970 * 1_000_000))
        }
        let session = try log.openSession("fill")
        let begins = Array(stride(from: 0, to: events, by: requestEvents * commitRequests))
        func prepare(_ index: Int) -> Task<[AppendRequest], Never> {
            let begin = begins[index]
            return Task.detached {
                stride(from: begin, to: min(begin + requestEvents * commitRequests, events), by: requestEvents).map {
                    AppendRequest(
                        session: session, sequence: UInt64($0 / requestEvents) + 1,
                        workload.appends($0..<min($0 + requestEvents, events)))
                }
            }
        }
        // The next commit is made up while this one is written.
        var next = prepare(0)
        for index in begins.indices {
            let group = await next.value
            if index + 1 < begins.count { next = prepare(index + 1) }
            for result in log.append(group: group).results { _ = try result.get() }
        }
    }
}
