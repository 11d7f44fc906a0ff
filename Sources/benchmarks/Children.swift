import ArgumentParser
import EventLog
import Foundation
import Messaging
import Runtime
import Storage

/// Follows a log live until it has an event's position, checking the order, then says so.
struct SubscriberChild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Option var dir: String
    @Option var until: UInt64

    func run() async throws {
        let directory = StateDirectory(path: dir)
        let reader = SQLiteEventReader(files: LogFiles(database: directory.logDatabase))
        let endpoints = try directory.endpoints()
        let options = RemoteLogOptions(endpoints: .init(requests: endpoints.requests, events: endpoints.events))
        let batches = LiveSubscription(options, reader: reader).subscribe(after: .start, types: nil)
        signalParent()
        var last = Position.start
        for try await batch in batches {
            for event in batch.events {
                guard event.position == last.next else { throw OrderBroken(after: last, got: event.position) }
                last = event.position
            }
            if last.value >= until { break }
        }
        signalParent()
    }
}

struct OrderBroken: Error { let after: Position; let got: Position }

/// Reads a log's file from its beginning, envelopes decoded, and prints the seconds it took.
struct ReaderChild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Option var file: String

    func run() async throws {
        let scanner = try SQLiteLogScanner(files: LogFiles(database: file))
        let taken = try await seconds {
            var position = Position.start
            while true {
                let page = try scanner.read(after: position, limit: EventLimits.readEvents)
                if page.scannedThrough == position { break }
                position = page.scannedThrough
            }
        }
        print(taken)
    }
}
