import EventLog
import FinOps
import Foundation
import Runtime
import Storage

/// Fills a log that nobody serves, in large commits: what was there before a measurement. Its days are all like the first,
/// under streams and ids of their own, because making up ten million rows would take longer than writing them.
enum BulkFill {
    private static let requestEvents = 10_000
    private static let commitRequests = 4

    static func write(events: Int, to directory: String, workload: Workload = .typical) throws {
        let directory = StateDirectory(path: directory)
        try directory.prepare()
        let log = try SQLiteLog(files: LogFiles(database: directory.logDatabase)) {
            Timestamp(microseconds: Int64(Date.now.timeIntervalSince1970 * 1_000_000))
        }
        let session = try log.openSession("fill")
        let perDay = workload.keys * workload.models * 24
        let day = (0..<min(perDay, events)).map { workload.usage($0).event }
        for begin in stride(from: 0, to: events, by: requestEvents * commitRequests) {
            let end = min(begin + requestEvents * commitRequests, events)
            let group = stride(from: begin, to: end, by: requestEvents).map { first in
                AppendRequest(
                    session: session, sequence: UInt64(first / requestEvents) + 1,
                    appends(first..<min(first + requestEvents, end), day, workload))
            }
            for result in log.append(group: group).results { _ = try result.get() }
        }
    }

    private static func appends(_ range: Range<Int>, _ day: [NewEvent], _ workload: Workload) -> [StreamAppend] {
        var appends: [StreamAppend] = []
        var begin = range.lowerBound
        while begin < range.upperBound {
            let (number, offset) = begin.quotientAndRemainder(dividingBy: day.count)
            let count = min(day.count - offset, range.upperBound - begin)
            let date = Day(utc: Timestamp(seconds: workload.start + Int64(number) * 86_400))
            var events = Array(day[offset..<offset + count])
            for index in events.indices {
                events[index].id = EventID(high: UInt64(begin + index) + 1, low: events[index].id.low)
            }
            appends.append(StreamAppend(StreamName("usage-acme-\(date)"), events))
            begin += count
        }
        return appends
    }
}
