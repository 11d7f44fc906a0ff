import EventLog
import Storage
import TestSupport
import Testing

/// A disk that loses a write: what a failed sync left behind nobody knows, so it is final.
@Suite struct FailedSyncTests {
    @Test func aFailedSyncAcknowledgesNothingAndIsNeverTriedAgain() async throws {
        try await withLog { log in
            try log.fill()
            FailingSync.watch(log.directory)
            defer { FailingSync.isFailing = false }
            let request: AppendRequest
            do {
                let writer = try log.open()
                let session = try writer.openSession("writer")
                request = AppendRequest(session: session, sequence: 1, [StreamAppend("sample-a", [sampleEvent(1)])])
                FailingSync.isFailing = true
                let failure = try #require(writer.append(group: [request]).results[0].failure)
                guard case .failed(let cause) = failure else { throw failure }
                #expect(cause.code.hasPrefix("sqlite-"))
                #expect(!cause.isRetriable)
                #expect(writer.fatalFailure == cause)
                // The disk is well again, but nobody knows what it holds.
                FailingSync.isFailing = false
                #expect(writer.append(group: [request]).results[0].failure == failure)
                #expect(throws: failure) { try writer.openSession("another") }
                #expect(try log.events().count == 240)
            }
            // The restarted log knows, and takes the same request once.
            let reopened = try log.open()
            let session = try reopened.openSession("writer")
            let repeated = AppendRequest(session: session, sequence: 1, request.streams)
            #expect(try reopened.append(group: [repeated]).results[0].get().last == Position(241))
            #expect(try LogVerifier.verify(files: log.files).problem == nil)
        }
    }
}

extension Result {
    fileprivate var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}
