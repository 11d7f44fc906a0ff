import EventLog
import Runtime
import Storage

extension GlobalOptions {
    /// The files of the log that was asked for.
    func logFiles() throws -> LogFiles { LogFiles(database: try initialisedDirectory().logDatabase) }

    /// Reads the log's file, whether or not somebody writes it.
    func scanner() throws -> SQLiteLogScanner { try SQLiteLogScanner(files: try logFiles()) }
}
