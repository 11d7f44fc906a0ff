import EventLog
import Runtime
import Storage

extension GlobalOptions {
    /// The files of the log that was asked for.
    func logFiles() throws -> LogFiles { LogFiles(database: try initialisedDirectory().logDatabase) }

    /// Reads the log's file, whether or not somebody writes it; before the first start of a writer there is nothing to read.
    func scanner() throws -> SQLiteLogScanner { try existingScanner() ?? SQLiteLogScanner.empty() }

    /// - Returns: nil if nobody ever began to write the log.
    func existingScanner() throws -> SQLiteLogScanner? {
        let files = try logFiles()
        do throws(StoreError) { return try SQLiteLogScanner(files: files) } catch {
            guard case .failed(let failure) = error, failure.code == "log-missing" else { throw error }
            return nil
        }
    }
}
